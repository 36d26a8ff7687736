# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# What has happened since remember(): starts and stops of workers, in order,
# from supd's own events; and who is still the same process.

# remember: from here on.
remember() {
	SINCE=$(timeout -k 5 30 "$SUPCTL" --json events -n 1 | jq -r .seq)
	timeout -k 5 30 "$SUPCTL" --json status |
		jq -r '.[] | "\(.path) \(.pid)"' >"$T/remembered"
}

# story: "stop c, stop b, start b, start c"
story() {
	timeout -k 5 30 "$SUPCTL" --json events -n 1000 |
		jq -rs --argjson since "${SINCE:-0}" '
			map(select(.seq > $since and .pid != null
				and (.kind == "starting" or .kind == "stopping"))
			| (if .kind == "starting" then "start " else "stop " end)
				+ (.path | split("/") | last))
			| join(", ")'
}

# assert_kept_pid PATH...: each is the process that it was.
assert_kept_pid() {
	local p now was
	for p in "$@"; do
		now=$(pid_of "$p")
		was=$(awk -v p="root/$p" '$1 == p { print $2 }' "$T/remembered")
		if [ "$now" != "$was" ]; then
			echo "$p has pid $now, had $was"
			return 1
		fi
	done
}

# free_port: one on which nothing listens now.
free_port() {
	local p
	while :; do
		p=$((20000 + RANDOM % 10000))
		(: <"/dev/tcp/127.0.0.1/$p") 2>/dev/null || break
	done
	echo "$p"
}
