# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# Completion of supctl for bash: verbs, options, and the paths of the supd that
# runs, asked each time.

_supctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local verb='' i words

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-s | --socket | --timeout) ((i++)) ;;
		-*) ;;
		*)
			verb=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	case $verb:$prev in
	*:--for) words='ready down restarted' ;;
	kill:-s) words='TERM HUP INT QUIT KILL USR1 USR2 STOP CONT' ;;
	check:* | diff:* | apply:* | reload:* | :-s)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	:*) words='--json --timeout --no-color -q -s
		'$(supctl help 2>/dev/null | sed -n '2,/^PATH/s/^[a-z ]\{7\} \([a-z-]*\)  .*/\1/p') ;;
	help:*) words=$(supctl help 2>/dev/null | sed -n '2,/^PATH/s/^[a-z ]\{7\} \([a-z-]*\)  .*/\1/p') ;;
	call:* | cast:* | send:* | info:* | sys:* | trace:*) words=$(supctl --timeout 1s --json names 2>/dev/null |
		grep -o '"name":"[^"]*"' | cut -d '"' -f 4) ;;
	simulate:simulate) words=crash ;;
	simulate:*) words="--repeat --every $(supctl --timeout 1s list 2>/dev/null)" ;;
	*) words="--json --timeout $(supctl --timeout 1s list 2>/dev/null)" ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _supctl supctl
