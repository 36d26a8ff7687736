/* SPDX-License-Identifier: ISC */
/*
 * How long do 10,000 workers take to load, and to print?  Fails beyond a
 * second: the promise is "well under".
 */
#include "base/clock.h"
#include "conf/conf.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS  10000
#define ROUNDS   5
#define LIMIT_NS NS_PER_S

static void
write_tree(FILE *f)
{
	int i;

	fputs("supervisor: root\nintensity: 3\nperiod: 5s\n"
	      "defaults: {restart: transient, env: {LANG: C, LEVEL: \"2\"}, "
	      "user: root}\nchildren:\n",
	    f);
	for (i = 0; i < WORKERS; i++) {
		if (i % 100 == 0)
			fprintf(f,
			    "  - supervisor: s%d\n    strategy: "
			    "rest_for_one\n    children:\n",
			    i / 100);
		fprintf(f,
		    "      - worker: w%d\n"
		    "        command: [/usr/bin/worker, --port, \"%d\", "
		    "--name, w%d]\n"
		    "        env: {PORT: \"%d\", HOME: $$nowhere}\n"
		    "        ready: {tcp: \"127.0.0.1:%d\"}\n"
		    "        shutdown: 10s\n"
		    "        rlimit: {nofile: 1024:4096}\n",
		    i, i, i, i, 1 + i);
	}
}

static void
round_trip(const char *path, int64_t *best_load_ns, int64_t *best_print_ns)
{
	struct buf errors = { 0 }, text = { 0 };
	struct conf *c = NULL;
	mono_t start = clock_mono(), loaded, printed;

	if (conf_load(path, &c, &errors) < 0)
		errx(1, "%s", buf_str(&errors));
	loaded = clock_mono();
	conf_print(c, &text);
	printed = clock_mono();
	if (c->n_nodes != WORKERS + WORKERS / 100 + 1)
		errx(1, "%u nodes", c->n_nodes);
	conf_free(c);
	buf_fini(&errors);
	buf_fini(&text);
	if (loaded.ns - start.ns < *best_load_ns)
		*best_load_ns = loaded.ns - start.ns;
	if (printed.ns - loaded.ns < *best_print_ns)
		*best_print_ns = printed.ns - loaded.ns;
}

int
main(void)
{
	char path[] = "/tmp/bench_conf.XXXXXX";
	int64_t load_ns = INT64_MAX, print_ns = INT64_MAX;
	int i, fd = mkstemp(path);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (f == NULL)
		err(1, "%s", path);
	write_tree(f);
	if (fclose(f) != 0)
		err(1, "%s", path);
	for (i = 0; i < ROUNDS; i++)
		round_trip(path, &load_ns, &print_ns);
	unlink(path);
	printf("%d workers: load %.0f ms, print %.0f ms (best of %d)\n",
	    WORKERS, (double)load_ns / 1e6, (double)print_ns / 1e6, ROUNDS);
	return load_ns > LIMIT_NS;
}
