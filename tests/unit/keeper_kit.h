/* SPDX-License-Identifier: ISC */
#ifndef TESTS_KEEPER_KIT_H
#define TESTS_KEEPER_KIT_H

/* What the tests of the keeper share: spawn frames, deadlines, text files. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "keeper/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define KIT_WAIT_NS (20 * NS_PER_S)

struct kit_spawn {
	struct wire_spawn w;
	const char *path, *cwd, *file[3];
	const char *argv[8];
	const char *envp[8];
};

/* A shell that runs `script`, everything else as plain as can be. */
static inline struct kit_spawn
kit_sh(const char *script)
{
	return (struct kit_spawn){
		.w = { .slot = 1, .inc = 1, .umask = 022, .notify_fd = -1 },
		.path = "/bin/sh",
		.cwd = "/",
		.file = { "", "", "" },
		.argv = { "sh", "-c", script },
		.envp = { "PATH=/usr/bin:/bin", "LC_ALL=C" },
	};
}

static inline size_t
kit_put(char *at, const char *s)
{
	size_t len = strlen(s) + 1;

	memcpy(at, s, len);
	return len;
}

/* Write the frame of `s` to `frame` (WIRE_FRAME_MAX bytes). */
static inline void
kit_frame(
    const struct kit_spawn *s, enum wire_type type, struct wire_hdr *frame)
{
	struct wire_spawn *w = (struct wire_spawn *)(frame + 1);
	char *tail = (char *)(w + 1);
	size_t len = 0;

	*w = s->w;
	len += kit_put(tail + len, s->path);
	len += kit_put(tail + len, s->cwd);
	for (int i = 0; i < 3; i++)
		len += kit_put(tail + len, s->file[i] ? s->file[i] : "");
	for (w->argc = 0; s->argv[w->argc] != NULL; w->argc++)
		len += kit_put(tail + len, s->argv[w->argc]);
	for (w->envc = 0; s->envp[w->envc] != NULL; w->envc++)
		len += kit_put(tail + len, s->envp[w->envc]);
	*frame = (struct wire_hdr){ .type = (uint16_t)type,
		.len = (uint32_t)(sizeof(*frame) + sizeof(*w) + len) };
	assert_true(wire_check(frame, frame->len));
}

/* A new private directory; remove it with kit_rmdir(). */
static inline void
kit_mkdir(char path[64])
{
	strcpy(path, "/tmp/supd-test-XXXXXX");
	assert_non_null(mkdtemp(path));
	/* Other users' workers write there, too. */
	assert_int_equal(chmod(path, 0777), 0);
}

static inline void
kit_rmdir(const char *path)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", path);
	assert_int_equal(system(cmd), 0);
}

/* The text of a file, "" if there is none; of the last call. */
static inline const char *
kit_text(const char *dir, const char *name)
{
	static char text[8192];
	char path[128];
	ssize_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* Sleep a moment inside a loop that waits for a condition. */
static inline void
kit_breathe(void)
{
	struct timespec ts = { 0, 500000 };

	nanosleep(&ts, NULL);
}

#define kit_until(cond)                                                        \
	do {                                                                   \
		int64_t until_ = clock_mono().ns + KIT_WAIT_NS;                \
		while (!(cond)) {                                              \
			if (clock_mono().ns > until_)                          \
				fail_msg("never came true: %s", #cond);        \
			kit_breathe();                                         \
		}                                                              \
	} while (0)

#endif /* TESTS_KEEPER_KIT_H */
