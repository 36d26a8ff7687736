/* SPDX-License-Identifier: ISC */
/*
 * supctl: ask and command a running supd.
 */
#include "ctl/ctl.h"
#include "ctl/opts.h"
#include "ctl/verbs.h"

#include <locale.h>
#include <string.h>

int
main(int argc, char **argv)
{
	struct ctl c = { .out = stdout, .err = stderr };
	int code, n_args;
	char **args;

	/* Only for what counts as a printable character. */
	setlocale(LC_CTYPE, "");
	if (opts_parse(&c, argc, argv, &n_args, &args, &code))
		code = c.verb->run(&c, n_args, args);
	client_close(&c.client);
	if (fflush(stdout) == EOF || ferror(stdout)) {
		ctl_errx(&c, "standard output: %s", strerror(errno));
		if (code == CTL_OK)
			code = CTL_FAILED;
	}
	return code;
}
