/* SPDX-License-Identifier: ISC */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Fuzzing without a compiler's help: inputs are made from the seed alone, by
 * damaging good ones and by drawing bad ones, so that a failure can be had
 * again.  Every step draws from a generator of its own, made of the seed and
 * the number of the step.  A crash says with which arguments to run it again.
 *
 *   fuzz_x [--seed N] [--steps N] [--step N]
 *
 * --steps: how many; without it so many as a test suite has time for.
 * --step: only this one, for targets that keep nothing between two.
 */

#define FUZZ_INPUT_MAX (160 * 1024)

struct fuzz_input {
	size_t len;
	unsigned char data[FUZZ_INPUT_MAX];
};

struct fuzz {
	const char *name;
	uint64_t seed;
	unsigned long first, end; /* the steps to do, first <= step < end */
	unsigned long step;
};
extern struct fuzz fuzz;

/* Read the arguments and say what will be done.  Wrong ones end the test. */
void fuzz_init(int argc, char **argv, const char *name, unsigned long steps);

/*
 * Go on to the next step; false when all are done.
 *
 *	while (fuzz_next())
 *		one_step();
 */
bool fuzz_next(void);

/* What main() returns: with failures, it says how to have them again. */
int fuzz_end(int n_failed);

/* Draw: 64 bits; less than n (n > 0); true once in n times. */
uint64_t fuzz_u64(void);
size_t fuzz_below(size_t n);
bool fuzz_one_in(size_t n);
/* A number that somebody may have forgotten: 0, 1, 2^k, 2^k - 1, ... */
uint64_t fuzz_edge(void);

/*
 * Good inputs to damage.  fuzz_corpus_hex() adds the bytes of every *.hex of a
 * directory.  fuzz_corpus_draw() gives one of all, undamaged.
 */
void fuzz_corpus_add(const void *data, size_t len);
unsigned fuzz_corpus_hex(const char *dir);
void fuzz_corpus_draw(struct fuzz_input *ret);

/* Random bytes, at most max. */
void fuzz_noise(struct fuzz_input *ret, size_t max);

/* Damage it in one place or several; it stays no longer than max. */
void fuzz_mutate(struct fuzz_input *in, size_t max);

/*
 * A copy in a block of exactly that size, so that a sanitizer sees every step
 * beyond it.  The caller's: free().
 */
void *fuzz_exact(const void *data, size_t len);

#endif /* FUZZ_FUZZ_H */
