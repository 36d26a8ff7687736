/* SPDX-License-Identifier: ISC */
#ifndef BASE_ATTR_H
#define BASE_ATTR_H

/*
 * Attributes and the two ownership helpers.
 *
 * Every owning local is cleanup_(fn) and starts empty (NULL, -EBADF); it is
 * handed over with take_ptr() or take_fd(), so each way out of a function
 * releases exactly what is still owned.
 */

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define must_check    __attribute__((warn_unused_result))
#define cleanup_(f)   __attribute__((cleanup(f)))
#define printf_(a, b) __attribute__((format(printf, a, b)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define take_ptr(p)                                                            \
	({                                                                     \
		__typeof__(&(p)) take_p_ = &(p);                               \
		__typeof__(p) take_v_ = *take_p_;                              \
		*take_p_ = NULL;                                               \
		take_v_;                                                       \
	})

/* Hand over an fd: the owner forgets it. */
static inline int
take_fd(int *fd)
{
	int v = *fd;

	*fd = -EBADF;
	return v;
}

/* For cleanup_(freep): free(3) what a local pointer still owns. */
static inline void
freep(void *p)
{
	free(*(void **)p);
}

/* For cleanup_(closep): close(2) what a local fd still owns; keeps errno. */
static inline void
closep(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

#endif /* BASE_ATTR_H */
