/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_WORDS_H
#define ENGINE_WORDS_H

#include "core/engine.h"

#include <stddef.h>

/*
 * What a supervisor decides, in words: of the live tree, or of a copy that
 * only asks what would happen.  `eff` is the report while it is emitted.
 */

/* "rest_for_one: stop mailer, queue; start api, queue, mailer (2/3 in 60s)" */
void words_restart(
    const struct engine *e, const struct effect *eff, char *buf, size_t len);

/* "more than 3 restarts in 5s, the last for api (exit 1); ..." */
void words_gave_up(const struct engine *e, const struct effect *eff,
    const char *why, char *buf, size_t len);

/* "any_significant: significant child db has ended (exit 0); stopping" */
void words_auto_shutdown(const struct engine *e, const struct effect *eff,
    const char *why, char *buf, size_t len);

#endif /* ENGINE_WORDS_H */
