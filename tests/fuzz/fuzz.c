/* SPDX-License-Identifier: ISC */
#include "fuzz.h"

#include <dirent.h>
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fuzz fuzz;
static uint64_t state;

/* ---- drawing: splitmix64, which any 64 bits may start -------------------- */

static uint64_t
mix(uint64_t z)
{
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t
fuzz_u64(void)
{
	state += UINT64_C(0x9e3779b97f4a7c15);
	return mix(state);
}

size_t
fuzz_below(size_t n)
{
	return (size_t)(fuzz_u64() % n);
}

bool
fuzz_one_in(size_t n)
{
	return fuzz_below(n) == 0;
}

uint64_t
fuzz_edge(void)
{
	uint64_t power = UINT64_C(1) << fuzz_below(64);

	switch (fuzz_below(6)) {
	case 0:
		return 0;
	case 1:
		return fuzz_below(48);
	case 2:
		return power;
	case 3:
		return power - 1;
	case 4:
		return ~power + 1;
	default:
		return fuzz_u64();
	}
}

/* ---- steps --------------------------------------------------------------- */

/* Called in the middle of anything: only what a signal handler may. */
static void
say_where(void)
{
	dprintf(STDERR_FILENO,
	    "\n%s: failed in step %lu; again: %s --seed %llu --step %lu, or if "
	    "it takes what went before: --seed %llu --steps %lu\n",
	    fuzz.name, fuzz.step, fuzz.name, (unsigned long long)fuzz.seed,
	    fuzz.step, (unsigned long long)fuzz.seed, fuzz.step + 1);
}

static void
on_death(int sig)
{
	say_where();
	signal(sig, SIG_DFL);
	raise(sig);
}

/* In a program that was built with the address sanitizer. */
extern void __sanitizer_set_death_callback(void (*fn)(void))
    __attribute__((weak));

static uint64_t
number(const char *what, const char *text)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 0);

	if (*text == '\0' || *end != '\0')
		errx(2, "%s %s: not a number", what, text);
	return n;
}

void
fuzz_init(int argc, char **argv, const char *name, unsigned long steps)
{
	fuzz = (struct fuzz){ .name = name, .seed = 1, .end = steps };
	for (int i = 1; i < argc; i += 2) {
		if (i + 1 == argc)
			errx(2, "%s needs a number", argv[i]);
		if (strcmp(argv[i], "--seed") == 0)
			fuzz.seed = number(argv[i], argv[i + 1]);
		else if (strcmp(argv[i], "--steps") == 0)
			fuzz.end = number(argv[i], argv[i + 1]);
		else if (strcmp(argv[i], "--step") == 0) {
			fuzz.first = number(argv[i], argv[i + 1]);
			fuzz.end = fuzz.first + 1;
		} else
			errx(2, "usage: %s [--seed N] [--steps N] [--step N]",
			    name);
	}
	if (__sanitizer_set_death_callback != NULL)
		__sanitizer_set_death_callback(say_where);
	for (const int *s =
		 (const int[]){ SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, 0 };
	     *s != 0; s++)
		if (*s == SIGABRT || __sanitizer_set_death_callback == NULL)
			signal(*s, on_death);
	printf("# %s --seed %llu, steps %lu to %lu\n", name,
	    (unsigned long long)fuzz.seed, fuzz.first, fuzz.end - 1);
	fflush(stdout);
	fuzz.step = fuzz.first - 1;
	state = mix(fuzz.seed);
}

bool
fuzz_next(void)
{
	if (++fuzz.step >= fuzz.end)
		return false;
	state = mix(fuzz.seed * UINT64_C(0x9e3779b97f4a7c15) + fuzz.step);
	return true;
}

int
fuzz_end(int n_failed)
{
	if (n_failed != 0)
		say_where();
	return n_failed != 0;
}

/* ---- good inputs --------------------------------------------------------- */

static struct {
	void *data;
	size_t len;
} corpus[256];
static size_t n_corpus;

void
fuzz_corpus_add(const void *data, size_t len)
{
	if (n_corpus == sizeof(corpus) / sizeof(corpus[0]))
		errx(2, "the corpus is full");
	if (len > FUZZ_INPUT_MAX)
		errx(2, "an input of %zu bytes is too long", len);
	corpus[n_corpus].data = fuzz_exact(data, len);
	corpus[n_corpus++].len = len;
}

/* The bytes that stand in a vector; "#", "frame ..." and the like are text. */
static size_t
hex_bytes(FILE *f, unsigned char *out, size_t max)
{
	char line[1024], *p, *end;
	size_t n = 0;

	while (fgets(line, sizeof(line), f) != NULL) {
		unsigned long first = strtoul(line, &end, 16);

		/* "bad" and "end" begin with hex digits, too. */
		if (end != line + 2 || first > 255)
			continue;
		for (p = line; n < max; p = end) {
			unsigned long byte = strtoul(p, &end, 16);

			if (end == p)
				break;
			out[n++] = (unsigned char)byte;
		}
	}
	return n;
}

unsigned
fuzz_corpus_hex(const char *dir)
{
	static unsigned char bytes[FUZZ_INPUT_MAX];
	struct dirent **names;
	unsigned found = 0;
	int n = scandir(dir, &names, NULL, alphasort);

	if (n < 0)
		err(2, "%s", dir);
	for (int i = 0; i < n; i++) {
		const char *dot = strrchr(names[i]->d_name, '.');
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		if (dot != NULL && strcmp(dot, ".hex") == 0) {
			FILE *f = fopen(path, "r");

			if (f == NULL)
				err(2, "%s", path);
			fuzz_corpus_add(
			    bytes, hex_bytes(f, bytes, sizeof(bytes)));
			fclose(f);
			found++;
		}
		free(names[i]);
	}
	free(names);
	return found;
}

void
fuzz_corpus_draw(struct fuzz_input *ret)
{
	size_t i = fuzz_below(n_corpus);

	ret->len = corpus[i].len;
	memcpy(ret->data, corpus[i].data, ret->len);
}

/* ---- bad inputs ---------------------------------------------------------- */

void
fuzz_noise(struct fuzz_input *ret, size_t max)
{
	/* Short ones are more likely to be something. */
	ret->len = fuzz_below(1 + fuzz_below(max + 1));
	for (size_t i = 0; i < ret->len; i++)
		ret->data[i] = (unsigned char)fuzz_u64();
}

static void
insert(struct fuzz_input *in, size_t at, const void *what, size_t n, size_t max)
{
	if (n > max - in->len)
		n = max - in->len;
	memmove(in->data + at + n, in->data + at, in->len - at);
	memmove(in->data + at, what, n);
	in->len += n;
}

static void
cut(struct fuzz_input *in, size_t at, size_t n)
{
	memmove(in->data + at, in->data + at + n, in->len - at - n);
	in->len -= n;
}

/* A number of 1, 2, 4 or 8 bytes becomes one that nobody thought of. */
static void
renumber(struct fuzz_input *in, size_t at)
{
	size_t size = (size_t)1 << fuzz_below(4);
	uint64_t v = fuzz_edge();

	if (fuzz_one_in(4))
		v = in->len - at + fuzz_below(5) - 2;
	if (fuzz_one_in(4)) /* msgpack's are big endian */
		v = __builtin_bswap64(v) >> (64 - 8 * size);
	if (at + size <= in->len)
		memcpy(in->data + at, &v, size);
}

/* Some of another good input, or of itself. */
static void
splice(struct fuzz_input *in, size_t at, size_t max)
{
	static struct fuzz_input other;
	size_t from, n;

	if (n_corpus == 0 || fuzz_one_in(3))
		other = *in;
	else
		fuzz_corpus_draw(&other);
	if (other.len == 0)
		return;
	from = fuzz_below(other.len);
	n = 1 + fuzz_below(other.len - from);
	insert(in, at, other.data + from, n, max);
}

static void
mutate_once(struct fuzz_input *in, size_t max)
{
	size_t at = fuzz_below(in->len + 1), left = in->len - at;
	uint64_t random = fuzz_u64();

	switch (fuzz_below(7)) {
	case 0:
		if (left != 0)
			in->data[at] ^= (unsigned char)(1u << (random & 7));
		break;
	case 1:
		if (left != 0)
			in->data[at] = (unsigned char)random;
		break;
	case 2:
		renumber(in, at);
		break;
	case 3:
		renumber(in, at & ~(size_t)3);
		break;
	case 4:
		if (left != 0)
			cut(in, at, 1 + fuzz_below(left));
		break;
	case 5:
		insert(in, at, &random, 1 + fuzz_below(8), max);
		break;
	default:
		splice(in, at, max);
		break;
	}
}

void
fuzz_mutate(struct fuzz_input *in, size_t max)
{
	size_t n = (size_t)1 << fuzz_below(5);

	if (in->len > max)
		in->len = max;
	while (n-- != 0)
		mutate_once(in, max);
}

void *
fuzz_exact(const void *data, size_t len)
{
	void *p = malloc(len != 0 ? len : 1);

	if (p == NULL)
		err(2, "malloc");
	if (len != 0)
		memcpy(p, data, len);
	return p;
}
