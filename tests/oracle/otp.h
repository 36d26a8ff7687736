/* SPDX-License-Identifier: ISC */
#ifndef ORACLE_OTP_H
#define ORACLE_OTP_H

#include "base/buf.h"

#include <sys/types.h>

/* A BEAM that runs scripts on OTP's supervisor: see oracle.erl. */

struct otp {
	pid_t pid;
	int fd;
};

/* `dir` holds oracle.beam.  -errno. */
must_check int otp_start(struct otp *o, const char *dir);

void otp_stop(struct otp *o);

/* Many may be under way; they come back in any order. */
must_check int otp_send(struct otp *o, int id, const char *script);

/* Wait at most half a minute.  -ETIME; -EPIPE: it has ended. */
must_check int otp_receive(struct otp *o, int *ret_id, struct buf *ret_text);

#endif /* ORACLE_OTP_H */
