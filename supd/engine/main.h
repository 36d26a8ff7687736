/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_MAIN_H
#define ENGINE_MAIN_H

#include "base/role.h"

/*
 * The engine role: holds the supervision tree and takes every decision.
 *
 * Runs until the keeper ends it.  Returns the role's exit code: 0 after
 * WIRE_DONE, 70 (EX_SOFTWARE) when a link broke or memory ran out, 78
 * (EX_CONFIG) when the configuration is wrong; its messages are on stderr.
 */
int engine_main(const struct role_args *args);

#endif /* ENGINE_MAIN_H */
