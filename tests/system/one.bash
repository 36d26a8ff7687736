# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# One worker, w, whose keys are what a test is about, beside a quiet one.

# one_file KEYS [COMMAND]: the configuration.
one_file() {
	config <<EOF
supervisor: root
intensity: 50
period: 5s
children:
  - {worker: quiet, command: [mole, sleep]}
  - worker: w
    command: ${2:-[mole, sleep]}
    ${1:-description: nothing else}
EOF
}

# one KEYS [COMMAND]: supd is up with it.
one() {
	one_file "$@"
	start_supd
	wait_node root state up
	remember
}

# older_than PATH NS: it is in its state for so long.
older_than() {
	[ "$(node "$1" since_ns)" -gt "$2" ]
}
