/* SPDX-License-Identifier: ISC */
#ifndef CONFORM_SPECS_H
#define CONFORM_SPECS_H

#include "rig_supd.h"

/*
 * Configurations that must be accepted or refused, by supctl and supd as
 * programs.  `says` must stand in what they print.  A text is that of a file,
 * without its first line, `supervisor: root`.
 */
void accepted_text(const char *text);
void refused_text(const char *text, const char *says);

/* supctl add to sup_test, or of a sup_test with these flags and children. */
void refused_child(const char *spec, const char *says);
void refused_sup(const char *flags, const char *children, const char *says);

/* What supctl show prints for that key of a child of sup_test. */
void expect_shown(const char *path, const char *key, const char *value);
void expect_not_shown(const char *path, const char *key);

/* Run a supd of its own on that text until it ends; its exit code. */
int run_supd(const char *text);

/* So many lines of the log of the case's supd hold `text`. */
void expect_log(const char *text, int n);

#endif /* CONFORM_SPECS_H */
