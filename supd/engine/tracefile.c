/* SPDX-License-Identifier: ISC */
#include "engine/tracefile.h"

#include "base/buf.h"
#include "base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

/* What may wait for the disk. */
#define QUEUE_MAX (64u << 20)

struct tracefile {
	char *path;
	int fd;
	struct journal journal; /* records on their way to the queue */
	bool over;              /* nothing more is written */
	bool has_thread;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t filled;
	struct buf queue; /* what the thread is to write next */
	bool end;         /* when that is written */
	int error;        /* errno of a write that failed */
};

/* ---- the thread --------------------------------------------------------- */

static int
write_all(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* It waits for the disk, so that nobody else has to. */
static void *
write_queue(void *arg)
{
	struct tracefile *t = arg;
	struct buf mine = { 0 };
	bool end = false;

	while (!end) {
		int error;

		pthread_mutex_lock(&t->lock);
		while (t->queue.len == 0 && !t->end)
			pthread_cond_wait(&t->filled, &t->lock);
		end = t->end;
		buf_fini(&mine);
		mine = t->queue;
		t->queue = (struct buf){ 0 };
		pthread_mutex_unlock(&t->lock);
		error = write_all(t->fd, mine.data, mine.len);
		if (error == 0)
			continue;
		pthread_mutex_lock(&t->lock);
		t->error = error;
		end |= t->end;
		pthread_mutex_unlock(&t->lock);
	}
	buf_fini(&mine);
	return NULL;
}

static int
start_thread(struct tracefile *t)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&t->thread, NULL, write_queue, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	t->has_thread = r == 0;
	return -r;
}

/* ---- the file ----------------------------------------------------------- */

/* Overwrite nothing that somebody may want to keep. */
static int
check_file(int fd, const char *path)
{
	uint64_t magic = 0;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode)) {
		log_warnx("--trace %s: not a regular file; name another", path);
		return -EINVAL;
	}
	if (st.st_size > 0 &&
	    (pread(fd, &magic, sizeof(magic), 0) != sizeof(magic) ||
		magic != TRACE_MAGIC)) {
		log_warnx("--trace %s: exists and is not a trace; remove it "
			  "or name another file",
		    path);
		return -EEXIST;
	}
	if (fchmod(fd, 0600) < 0 || ftruncate(fd, 0) < 0) {
		int error = errno;

		log_warn("--trace %s", path);
		return -error;
	}
	return 0;
}

static int
open_file(const char *path, int *ret_fd)
{
	/* O_NONBLOCK: a FIFO without a reader must not hold us up. */
	int r, fd = open(path,
		   O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY |
		       O_NONBLOCK,
		   0600);

	if (fd < 0) {
		r = -errno;
		log_warn("--trace %s", path);
		return r;
	}
	r = check_file(fd, path);
	if (r < 0)
		close(fd);
	else
		*ret_fd = fd;
	return r;
}

static int
open_rest(struct tracefile *t, const char *path, uint32_t cap)
{
	struct trace_head head = {
		.magic = TRACE_MAGIC,
		.version = TRACE_VERSION,
		.layout = engine_layout(),
		.cap = cap,
		.head_len = sizeof(head),
	};
	int r = open_file(path, &t->fd);

	if (r < 0)
		return r;
	strlcpy(head.supd, SUPD_VERSION, sizeof(head.supd));
	t->path = strdup(path);
	t->journal.buf = malloc(JOURNAL_RECORD_MAX);
	t->journal.cap = JOURNAL_RECORD_MAX;
	t->journal.seq = 1;
	r = -ENOMEM;
	if (t->path != NULL && t->journal.buf != NULL)
		r = -write_all(t->fd, (const char *)&head, sizeof(head));
	if (r == 0)
		r = start_thread(t);
	if (r < 0) {
		errno = -r;
		log_warn("--trace %s", path);
	}
	return r;
}

int
tracefile_open(const char *path, uint32_t cap, struct tracefile **ret)
{
	struct tracefile *t = calloc(1, sizeof(*t));
	int r;

	if (t == NULL)
		return -ENOMEM;
	t->fd = -EBADF;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->filled, NULL);
	r = open_rest(t, path, cap);
	if (r < 0)
		tracefile_close(t);
	else
		*ret = t;
	return r;
}

void
tracefile_close(struct tracefile *t)
{
	if (t == NULL)
		return;
	if (t->has_thread) {
		pthread_mutex_lock(&t->lock);
		t->end = true;
		pthread_cond_signal(&t->filled);
		pthread_mutex_unlock(&t->lock);
		pthread_join(t->thread, NULL);
	}
	if (t->error != 0 && !t->over) {
		errno = t->error;
		log_warn("--trace %s: its end is missing", t->path);
	}
	pthread_cond_destroy(&t->filled);
	pthread_mutex_destroy(&t->lock);
	buf_fini(&t->queue);
	free(t->journal.buf);
	free(t->path);
	closep(&t->fd);
	free(t);
}

/* ---- records ------------------------------------------------------------ */

struct journal *
tracefile_journal(struct tracefile *t)
{
	return &t->journal;
}

static void
give_up(struct tracefile *t, int error)
{
	errno = error;
	log_warn("--trace %s ends here; supervision goes on", t->path);
	t->over = true;
}

void
tracefile_room(struct tracefile *t)
{
	size_t cap = t->journal.cap * 2;
	void *p = realloc(t->journal.buf, cap);

	if (p == NULL) {
		if (!t->over)
			give_up(t, ENOMEM);
		return;
	}
	t->journal.buf = p;
	t->journal.cap = cap;
}

void
tracefile_push(struct tracefile *t)
{
	int error;

	if (!t->over) {
		pthread_mutex_lock(&t->lock);
		error = t->error;
		if (error == 0 && t->queue.len > QUEUE_MAX)
			error = EAGAIN;
		if (error == 0)
			buf_add(&t->queue, t->journal.buf, t->journal.len);
		if (t->queue.failed)
			error = ENOMEM;
		pthread_cond_signal(&t->filled);
		pthread_mutex_unlock(&t->lock);
		if (error != 0)
			give_up(t, error);
	}
	t->journal.len = 0;
}
