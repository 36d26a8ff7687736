/* SPDX-License-Identifier: ISC */
/*
 * The verbs about what would happen.
 */
#include "ctl/ctl.h"
#include "ctl/print_config.h"
#include "ctl/verbs.h"

#include <string.h>

#define EVERY_DEFAULT NS_PER_S

int
config_simulate(struct ctl *c, int argc, char **argv)
{
	json_t *params, *result = NULL;
	int code;

	(void)argc;
	if (strcmp(argv[0], "crash") != 0) {
		ctl_errx(c,
		    "simulate %s: what can be simulated is a crash: "
		    "supctl simulate crash PATH",
		    argv[0]);
		return ctl_usage(c);
	}
	params = json_pack("{s:s, s:I, s:I}", "path", argv[1], "repeat",
	    (json_int_t)(c->repeat > 0 ? c->repeat : 1), "every_ns",
	    (json_int_t)(c->every_ns > 0 ? c->every_ns : EVERY_DEFAULT));
	code = ctl_call(c, "simulate", params, &result);
	if (code == CTL_OK && c->json) {
		ctl_print_json(c, result);
	} else if (code == CTL_OK && print_steps(c->out, result) < 0) {
		ctl_errx(c, "%s", strerror(ENOMEM));
		code = CTL_FAILED;
	}
	json_decref(result);
	return code;
}
