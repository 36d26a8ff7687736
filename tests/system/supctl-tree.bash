# SPDX-License-Identifier: ISC
# shellcheck shell=bash

# A small tree with something of everything.
tree() {
	config <<-'EOF'
	supervisor: root
	intensity: 20
	period: 10s
	children:
	  - worker: a
	    command: [sleep, 1000s]
	  - supervisor: web
	    strategy: rest_for_one
	    intensity: 20
	    period: 10s
	    children:
	      - worker: api
	        command: [sh, -c, 'echo "hello from $$$$"; exec sleep 1000']
	      - worker: queue
	        command: [sleep, 1000s]
	  - worker: off
	    command: [sleep, 1000s]
	    enabled: false
	  - worker: fatal
	    command: [sh, -c, 'sleep 0.1; exit 78']
	    fatal_exit: [78]
	  - worker: evil
	    command: [sh, -c, 'printf "\033[31mred\033]0;title\007\n"; exec sleep 1000']
	  - supervisor: lab
	    children: []
	  - supervisor: jobs
	    strategy: simple_one_for_one
	    template: {command: [sleep], restart: temporary}
	EOF
	start_supd
	# Not its state: before its start it is stopped, too.
	wait_node fatal last_exit 'exit 78 (fatal)'
	wait_node root state up
}
