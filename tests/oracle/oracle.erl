%% SPDX-License-Identifier: ISC
%%
%% The real thing: runs scripts on OTP's own supervisor.
%%
%% A port program for ./oracle.c: packets of four-byte length on descriptors 3
%% (scripts) and 4 (what happened).  A packet is an id and a script, one line
%% each, as script.h tells.
%%
%% How it is made exact.  The BEAM has one scheduler (+S 1:1).  Every process
%% of a tree has priority high, the observer that notes what happens has
%% priority max, and the driver that carries out the script has priority
%% normal.  So whenever the driver runs at all, every supervisor and worker
%% is waiting: there is nothing to sleep for.  Simultaneous things are made
%% so by suspending their supervisor until all of them are in its mailbox, or
%% by letting no worker come to life or end (the observer does not answer them)
%% until they all have happened.
%%
%% Only `wait` and what refuses to stop take time.  When a busy machine makes
%% the rest longer than a period, the answer is "late": try again.
-module(oracle).

-export([main/0, init/1, start_worker/3, start_sup/3, worker/3, log/2]).

%% What befalls several supervisors must not take longer: their timers run.
-define(AT_ONCE_MS, 25).

-record(sup, {parent, strategy, intensity, period, restart, significant,
    auto, template, pool_of, static}).
-record(work, {parent, restart, significant, shutdown, on_stop, answer,
    enabled, static, timeout}).
-record(obs, {cfg, pids = #{}, last = #{}, ids = #{}, state = #{}, fails = #{},
    holds = #{}, events = [], calls = [], refusing = #{}, waiter, gone = [],
    frozen = false, answers = [], doomed = #{}, confs = #{}}).

main() ->
    ok = logger:add_handler(oracle, oracle, #{level => error}),
    logger:remove_handler(default),
    Port = open_port({fd, 3, 4}, [{packet, 4}, binary, eof]),
    serve(Port).

serve(Port) ->
    Main = self(),
    receive
        {Port, {data, Packet}} ->
            spawn_monitor(fun() -> Main ! {done, run(Packet)} end),
            serve(Port);
        {'DOWN', _, process, _, normal} ->
            serve(Port);
        {'DOWN', _, process, _, Why} ->
            io:format(standard_error, "oracle.erl: ~p~n", [Why]),
            halt(1);
        {done, Text} ->
            port_command(Port, Text),
            serve(Port);
        {Port, eof} ->
            halt(0)
    end.

%% ---- scripts ------------------------------------------------------------

run(Packet) ->
    [Id | Lines] = binary:split(Packet, <<"\n">>, [global, trim_all]),
    {Tree, Commands} = lists:splitwith(fun is_tree/1, Lines),
    Cfg = maps:from_list([node_of(words(L)) || L <- Tree]),
    Obs = spawn_opt(fun() -> observe(#obs{cfg = Cfg}) end,
        [{priority, max}]),
    Top = spawn_opt(fun() -> top(Obs, Cfg) end, [{priority, high}]),
    Began = erlang:monotonic_time(millisecond),
    Out = [[<<"=\n">>, command(Obs, Top, Cfg, C)] || C <- Commands],
    Waits = lists:sum([binary_to_integer(Ms) ||
        <<"wait ", Ms/binary>> <- Commands]),
    Took = erlang:monotonic_time(millisecond) - Began - Waits,
    exit(Top, kill),
    Obs ! finish,
    case lists:min([P || #sup{period = P} <- maps:values(Cfg)]) of
        P when Took >= P * 1000 -> [Id, <<"\nlate\n">>];
        _ ->
            case get(late) of
                true -> [Id, <<"\nlate\n">>];
                undefined -> [Id, $\n, Out]
            end
    end.

is_tree(<<"sup ", _/binary>>) -> true;
is_tree(<<"work ", _/binary>>) -> true;
is_tree(_) -> false.

words(Line) ->
    [word(W) || W <- binary:split(Line, <<" ">>, [global, trim_all])].

word(<<C, _/binary>> = W) when C >= $0, C =< $9; C =:= $- ->
    binary_to_integer(W);
word(W) ->
    binary_to_atom(W).

node_of([sup, Id, Parent, Strategy, I, P, Restart, Sig, Auto, PoolRestart,
        Shutdown, Of, Static]) ->
    {Id, #sup{parent = Parent, strategy = Strategy, intensity = I, period = P,
        restart = Restart, significant = Sig =:= 1, auto = Auto,
        template = {PoolRestart, Shutdown}, pool_of = Of,
        static = Static =:= 1}};
node_of([work, Id, Parent, Restart, Sig, Shutdown, OnStop, Answer, Enabled,
        Static, _Ready, Timeout]) ->
    {Id, #work{parent = Parent, restart = Restart, significant = Sig =:= 1,
        shutdown = Shutdown, on_stop = OnStop, answer = Answer,
        enabled = Enabled =:= 1, static = Static =:= 1,
        timeout = shutdown(Timeout)}}.

parent_of(Cfg, Id) ->
    case maps:get(Id, Cfg) of
        #sup{parent = P} -> P;
        #work{parent = P} -> P
    end.

%% The root's parent.
top(Obs, Cfg) ->
    process_flag(trap_exit, true),
    receive boot -> ok end,
    R = start_sup(Obs, Cfg, 1),
    top_loop(R).

top_loop(R) ->
    receive
        shutdown ->
            case R of
                {ok, Pid} -> exit(Pid, shutdown);
                _ -> ok
            end,
            top_loop(R);
        _ -> top_loop(R)
    end.

command(Obs, _, _, <<"reload ", Rest/binary>>) ->
    [Sup, Strategy, I, Auto | Children] =
        binary:split(Rest, <<" ">>, [global, trim_all]),
    Id = binary_to_integer(Sup),
    Conf = {word(Strategy), word(I), word(Auto),
        [list_to_tuple([word(W) || W <- binary:split(C, <<":">>, [global])])
            || C <- Children]},
    ask(Obs, {configure, Id, Conf}),
    case ask(Obs, {pid, Id}) of
        none ->
            ok;
        Pid ->
            Idle = process_info(Pid, current_function) =:=
                {current_function, {gen_server, loop, 7}},
            spawn_opt(fun() -> change(Idle, Obs, Id, Pid, Conf) end,
                [{priority, high}])
    end,
    settle(Obs),
    ask(Obs, events);
command(Obs, Top, Cfg, Line) ->
    Ops = [words(O) || O <- binary:split(Line, [<<";">>, <<"&">>], [global])],
    case Ops of
        [_, _ | _] ->
            case binary:match(Line, <<"&">>) of
                nomatch -> at_once(Obs, Cfg, Ops);
                _ -> one_by_one(Obs, Ops)
            end;
        [[boot]] -> Top ! boot;
        [[shutdown]] -> Top ! shutdown;
        [[wait, Ms]] -> timer:sleep(Ms);
        [[fail, Id, N]] -> ask(Obs, {set_fails, Id, N});
        [[hold, Id, N]] -> ask(Obs, {set_holds, Id, N});
        [[go, K]] -> ask(Obs, {go, K});
        [[drain]] -> drain(Obs);
        [[which]] -> ok;
        _ -> at_once(Obs, Cfg, Ops)
    end,
    settle(Obs),
    case Ops of
        [[which]] -> [ask(Obs, events), which(Obs, Cfg)];
        _ -> ask(Obs, events)
    end.

%% What a release handler does with a supervisor.  One that is busy would be
%% found suspended by what comes for it later; it gets the same as one message,
%% which has its place in the mailbox.
change(true, Obs, Id, Pid, _) ->
    ok = sys:suspend(Pid, infinity),
    R = sys:change_code(Pid, ?MODULE, undefined, [], infinity),
    ok = sys:resume(Pid, infinity),
    R =:= ok orelse (Obs ! {refused, Id, R});
change(false, _, _, Pid, Conf) ->
    try
        sys:replace_state(Pid, fun(S) ->
                put(conf, Conf),
                {ok, New} = supervisor:code_change(undefined, S, []),
                erase(conf),
                New
            end, infinity)
    catch
        exit:_ -> ended
    end.

%% Everything happens while the supervisor cannot look.
at_once(Obs, Cfg, [[_, First | _] | _] = Ops) ->
    Sup = ask(Obs, {pid, parent_of(Cfg, First)}),
    Sup =:= none orelse erlang:suspend_process(Sup),
    [at_once_1(Obs, Op) || Op <- Ops],
    Sup =:= none orelse erlang:resume_process(Sup).

at_once_1(Obs, [Op, Id]) ->
    case is_death(Op) of
        true -> end_it(Obs, Id, reason_of(Op));
        false -> ask(Obs, {call, Op, Id})
    end.

is_death(Op) -> lists:member(Op, [die, ok, term]).

end_it(Obs, Id, Reason) ->
    case ask(Obs, {process, Id}) of
        none ->
            ok;
        Pid ->
            Mon = monitor(process, Pid),
            Pid ! {die, Reason},
            receive {'DOWN', Mon, process, Pid, _} -> ok end
    end.

one_by_one(Obs, Ops) ->
    Began = erlang:monotonic_time(millisecond),
    Pids = ask(Obs, {freeze, Ops}),
    lists:foreach(fun({Op, Pid}) ->
            one(Obs, Op, Pid),
            ask(Obs, rest)
        end, lists:zip(Ops, Pids)),
    Took = erlang:monotonic_time(millisecond) - Began,
    Took < ?AT_ONCE_MS orelse put(late, true),
    ask(Obs, thaw).

one(Obs, [Op, Id], call) ->
    ask(Obs, {call, Op, Id});
one(_, _, none) ->
    ok;
one(Obs, [Op, Id], Pid) ->
    ask(Obs, {process, Id}) =:= Pid andalso end_it(Obs, Id, reason_of(Op)).

reason_of(die) -> crash;
reason_of(ok) -> normal;
reason_of(term) -> shutdown.

%% When the first question is answered, all that can move has moved; the
%% second waits for what is being killed.
settle(Obs) ->
    ask(Obs, rest),
    case ask(Obs, quiet) of
        true -> ok;
        false -> settle(Obs)
    end.

%% Let everything held go on, one by one, the lowest number first.
drain(Obs) ->
    case ask(Obs, held) of
        true ->
            ask(Obs, {go, 0}),
            settle(Obs),
            drain(Obs);
        false ->
            ok
    end.

which(Obs, Cfg) ->
    case ask(Obs, held) of
        true -> [];
        false -> [which_1(Obs, Id, S) || {Id, #sup{} = S} <-
            lists:sort(maps:to_list(Cfg))]
    end.

which_1(Obs, Id, #sup{strategy = Strategy}) ->
    case ask(Obs, {pid, Id}) of
        none ->
            [];
        Pid ->
            L = supervisor:which_children(Pid),
            Ids = ask(Obs, ids),
            S = [child_text(C, Ids) || C <- L],
            Sorted = case Strategy of
                sofo -> lists:sort(S);
                _ -> lists:reverse(S)
            end,
            io_lib:format("which ~b ~s~n", [Id, lists:join(" ", Sorted)])
    end.

child_text({undefined, restarting, _, _}, _) -> "?=restarting";
child_text({undefined, Pid, _, _}, Ids) ->
    integer_to_list(maps:get(Pid, Ids)) ++ "=running";
child_text({Id, undefined, _, _}, _) -> integer_to_list(Id) ++ "=stopped";
child_text({Id, restarting, _, _}, _) -> integer_to_list(Id) ++ "=restarting";
child_text({Id, _, _, _}, _) -> integer_to_list(Id) ++ "=running".

%% ---- the observer -------------------------------------------------------

ask(Obs, What) ->
    Ref = make_ref(),
    Obs ! {ask, self(), Ref, What},
    receive {Ref, Answer} -> Answer end.

observe(O) ->
    receive
        {ask, From, Ref, What} ->
            case answer(What, O, {From, Ref}) of
                {reply, R, O1} ->
                    From ! {Ref, R},
                    observe(O1);
                {frozen, R, O1} ->
                    L = O1#obs.answers,
                    observe(O1#obs{answers = [{From, Ref, R} | L]});
                {wait, O1} ->
                    observe(O1)
            end;
        finish ->
            [exit(P, kill) || P <- maps:keys(O#obs.ids)];
        M ->
            observe(note(M, O))
    end.

event(O, Format, Args) ->
    Line = io_lib:format(Format ++ "\n", Args),
    O#obs{events = [Line | O#obs.events]}.

take(Id, Map) ->
    case maps:get(Id, Map, 0) of
        0 -> {false, Map};
        N -> {true, Map#{Id => N - 1}}
    end.

born(Id, Pid, State, O) ->
    monitor(process, Pid),
    O1 = case maps:is_key(Id, O#obs.pids) of
        true when map_get(Id, O#obs.state) =/= failed ->
            event(O, "double ~b", [Id]);
        _ -> O
    end,
    event(O1#obs{pids = (O#obs.pids)#{Id => Pid},
        ids = (O#obs.ids)#{Pid => Id},
        state = (O#obs.state)#{Id => State}}, "start ~b", [Id]).

answer({start, Id}, O, {Pid, _}) ->
    case take(Id, O#obs.holds) of
        {true, H} ->
            to_worker(hold, held(Id, Pid, O#obs{holds = H}));
        {false, _} ->
            {Fail, F} = take(Id, O#obs.fails),
            O1 = born(Id, Pid, running, O#obs{fails = F}),
            case Fail of
                true ->
                    %% Its start is over before it has ended: init_ack.
                    O2 = event(O1, "fail ~b", [Id]),
                    S = (O2#obs.state)#{Id => failed},
                    to_worker(fail, O2#obs{state = S});
                false -> to_worker(go, O1)
            end
    end;
answer({stop, _, _}, O, {Pid, _}) when is_map_key(Pid, O#obs.doomed) ->
    {wait, O};
answer({stop, Id, OnStop}, O, {Pid, _}) ->
    put({stopping, Pid}, true),
    O1 = event(O, "stop ~b", [Id]),
    to_worker(ok, case OnStop of
        obey -> O1;
        slow -> O1#obs{state = (O#obs.state)#{Id => held}};
        refuse -> O1#obs{refusing = (O#obs.refusing)#{Pid => true}}
    end);
answer({freeze, Ops}, O, _) ->
    {Pids, Doomed} = lists:mapfoldl(fun([Op, Id], D) ->
            case {is_death(Op), maps:get(Id, O#obs.pids, none)} of
                {false, _} -> {call, D};
                {true, Pid} when is_map_key(Pid, D); Pid =:= none -> {none, D};
                {true, Pid} -> {Pid, D#{Pid => true}}
            end
        end, #{}, Ops),
    {reply, Pids, O#obs{frozen = true, doomed = Doomed}};
answer(thaw, O, _) ->
    [From ! {Ref, R} || {From, Ref, R} <- lists:reverse(O#obs.answers)],
    {reply, ok, O#obs{frozen = false, answers = [], doomed = #{}}};
answer({gone, Id}, O, {From, Ref}) ->
    case maps:is_key(Id, O#obs.pids) of
        true -> {wait, O#obs{gone = [{Id, From, Ref} | O#obs.gone]}};
        false -> {reply, ok, O}
    end;
answer({sup, Id}, O, {Pid, _}) ->
    {reply, ok, born(Id, Pid, sup, O)};
answer({set_fails, Id, N}, O, _) ->
    {reply, ok, O#obs{fails = (O#obs.fails)#{Id => N}}};
answer({set_holds, Id, N}, O, _) ->
    {reply, ok, O#obs{holds = (O#obs.holds)#{Id => N}}};
answer({go, K}, O, _) ->
    case lists:sort([Id || {Id, held} <- maps:to_list(O#obs.state)]) of
        [] -> {reply, ok, O};
        L -> {reply, ok, go(lists:nth(K rem length(L) + 1, L), O)}
    end;
answer({configure, Id, Conf}, O, _) ->
    {reply, ok, O#obs{confs = (O#obs.confs)#{Id => Conf}}};
answer({conf, Id}, O, _) ->
    {reply, maps:get(Id, O#obs.confs, none), O};
answer({pid, Id}, O, _) ->
    {reply, maps:get(Id, O#obs.pids, none), O};
answer({process, Id}, O, _) ->
    {reply, maps:get(Id, O#obs.pids, none), O};
answer({call, Op, Id}, O, _) ->
    {reply, ok, call(Op, Id, O)};
answer(ids, O, _) ->
    {reply, O#obs.ids, O};
answer(held, O, _) ->
    {reply, lists:member(held, maps:values(O#obs.state)), O};
answer(events, O, _) ->
    {reply, lists:reverse(O#obs.events), O#obs{events = []}};
answer(rest, O, _) ->
    {reply, ok, O};
answer(quiet, O, From) ->
    case maps:size(O#obs.refusing) of
        0 -> {reply, true, O};
        _ -> {wait, O#obs{waiter = From}}
    end.

to_worker(Answer, #obs{frozen = true} = O) -> {frozen, Answer, O};
to_worker(Answer, O) -> {reply, Answer, O}.

%% A start that takes until `go`, or until its timeout.
held(Id, Pid, O) ->
    case maps:get(Id, O#obs.cfg) of
        #work{timeout = infinity} ->
            born(Id, Pid, held, O);
        _ ->
            O1 = born(Id, Pid, running, O),
            O1#obs{refusing = (O1#obs.refusing)#{Pid => true}}
    end.

go(Id, O) ->
    Pid = maps:get(Id, O#obs.pids),
    {Fail, F} = take(Id, O#obs.fails),
    Running = O#obs{state = (O#obs.state)#{Id => running}},
    case get({stopping, Pid}) of
        true ->
            Pid ! go,
            Running;
        undefined when Fail ->
            Pid ! fail,
            O#obs{fails = F, state = (O#obs.state)#{Id => failed}};
        undefined ->
            Pid ! go,
            Running
    end.

note({fail, Id}, O) ->
    event(O, "fail ~b", [Id]);
note({up, Id, Pid}, O) ->
    event(known(Id, Pid, O), "up ~b", [Id]);
note({ready, Id, Pid}, O) ->
    known(Id, Pid, O);
note({refused, Id, R}, O) ->
    event(O, "refused ~b ~0p", [Id, R]);
note({failed, Id}, O) ->
    event(O, "failed ~b", [Id]);
note({report, Sup, Context, Reason, Offender}, O) ->
    report(Context, Sup, reason(Reason), Offender, O);
note({'DOWN', _, process, Pid, Reason} = M, O) when is_map_key(Pid, O#obs.ids) ->
    #{Pid := Id} = O#obs.ids,
    case maps:get(Id, O#obs.pids, none) of
        Pid -> down(Id, Pid, Reason, O);
        _ -> reply(M, O)
    end;
note(M, O) ->
    reply(M, O).

%% The pid that others may know of: its start has returned.
known(Id, Pid, O) ->
    O#obs{last = (O#obs.last)#{Id => Pid}}.

down(Id, Pid, Reason, O) ->
    {Gone, Others} = lists:partition(fun({I, _, _}) -> I =:= Id end,
        O#obs.gone),
    [From ! {Ref, ok} || {_, From, Ref} <- Gone],
    O1 = O#obs{gone = Others, pids = maps:remove(Id, O#obs.pids),
        state = maps:remove(Id, O#obs.state),
        refusing = maps:remove(Pid, O#obs.refusing)},
    O2 = case maps:get(Id, O#obs.cfg) of
        #work{} when Reason =:= killed -> event(O1, "kill ~b", [Id]);
        #work{} -> O1;
        #sup{} when Reason =:= shutdown -> event(O1, "end ~b", [Id]);
        #sup{} ->
            case Reason of
                {shutdown, {failed_to_start_child, _, _}} -> O1;
                _ -> event(O1, "crashed ~b", [Id])
            end
    end,
    case O2#obs.waiter of
        {From, Ref} when map_size(O2#obs.refusing) =:= 0 ->
            From ! {Ref, false},
            O2#obs{waiter = undefined};
        _ ->
            O2
    end.

%% ---- calls --------------------------------------------------------------

call(Op, Id, O) ->
    Parent = parent_of(O#obs.cfg, Id),
    #sup{strategy = Strategy} = maps:get(Parent, O#obs.cfg),
    case maps:get(Parent, O#obs.pids, none) of
        none ->
            event(O, "reply ~b ~s noproc", [Id, Op]);
        Pid ->
            case request(Op, Id, Strategy, O) of
                none -> O;
                R ->
                    Req = gen_server:send_request(Pid, R),
                    O#obs{calls = [{Req, Op, Id} | O#obs.calls]}
            end
    end.

request(start, Id, sofo, _) -> {start_child, [Id]};
request(start, Id, _, O) -> {start_child, spec(self(), O#obs.cfg, Id)};
request(terminate, Id, sofo, O) ->
    case O#obs.last of
        #{Id := Pid} -> {terminate_child, Pid};
        _ -> none
    end;
request(terminate, Id, _, _) -> {terminate_child, Id};
request(restart, Id, _, _) -> {restart_child, Id};
request(delete, Id, _, _) -> {delete_child, Id}.

reply(M, #obs{calls = Calls} = O) ->
    reply(M, Calls, O).

reply(_, [], O) ->
    O;
reply(M, [{Req, Op, Id} = C | Rest], O) ->
    case gen_server:check_response(M, Req) of
        no_reply -> reply(M, Rest, O);
        R -> event(O#obs{calls = lists:delete(C, O#obs.calls)},
            "reply ~b ~s ~s", [Id, Op, result(R)])
    end.

result({error, _}) -> noproc;
result({reply, ok}) -> ok;
result({reply, {ok, undefined}}) -> ignored;
result({reply, {ok, _}}) -> ok;
result({reply, {error, {already_started, _}}}) -> already_started;
result({reply, {error, E}}) when E =:= not_found; E =:= running;
    E =:= restarting; E =:= already_present -> E;
result({reply, {error, simple_one_for_one}}) -> simple;
result({reply, {error, _}}) -> start_failed.

%% ---- reports ------------------------------------------------------------

log(#{msg := {report, #{label := {supervisor, Context}, report := R}}}, _) ->
    case get(obs) of
        undefined -> ok;
        Obs -> Obs ! {report, get(id), Context,
            proplists:get_value(reason, R), proplists:get_value(offender, R)}
    end;
log(_, _) ->
    ok.

reason(normal) -> normal;
reason(shutdown) -> shutdown;
reason(killed) -> killed;
reason(_) -> crash.

report(Context, Sup, Reason, Offender, O) ->
    Id = offender(Offender, O),
    case {Context, proplists:get_value(nb_children, Offender)} of
        {shutdown, _} -> event(O, "gave_up ~b ~p", [Sup, Id]);
        {shutdown_error, undefined} ->
            event(O, "shutdown_error ~p ~s", [Id, Reason]);
        {shutdown_error, N} ->
            event(O, "shutdown_errors ~b ~s ~b", [Sup, Reason, N]);
        {child_terminated, _} -> event(O, "terminated ~p", [Id]);
        {start_error, _} -> event(O, "start_error ~p", [Id])
    end.

offender(L, O) ->
    case proplists:get_value(id, L) of
        Id when is_integer(Id) -> Id;
        _ -> pool_child(proplists:get_value(pid, L),
            proplists:get_value(mfargs, L), O)
    end.

pool_child({restarting, Pid}, M, O) -> pool_child(Pid, M, O);
pool_child(Pid, _, O) when is_map_key(Pid, O#obs.ids) ->
    maps:get(Pid, O#obs.ids);
pool_child(_, {_, _, [_, _, Id]}, _) -> Id;
pool_child(_, _, _) -> 0.

%% ---- the tree (runs in its processes) -----------------------------------

init({Obs, Cfg, Id}) ->
    {ok, configuration(Obs, Cfg, Id, case {get(id), get(conf)} of
        {Id, undefined} -> ask(Obs, {conf, Id});
        {Id, Conf} -> Conf;
        _ ->
            put(obs, Obs),
            put(id, Id),
            ask(Obs, {sup, Id}),
            ask(Obs, {conf, Id})
    end)}.

configuration(Obs, Cfg, Id, none) ->
    #sup{strategy = S, intensity = I, period = P, auto = A} = Sup =
        maps:get(Id, Cfg),
    Flags = #{strategy => strategy(S), intensity => I, period => P,
        auto_shutdown => auto(A)},
    {Flags, children(S, Obs, Cfg, Id, Sup)};
configuration(Obs, Cfg, Id, {S, I, Auto, Children}) ->
    #sup{period = P} = maps:get(Id, Cfg),
    Flags = #{strategy => strategy(S), intensity => I, period => P,
        auto_shutdown => auto(Auto)},
    {Flags, [configured(spec(Obs, Cfg, element(1, C)), C) || C <- Children]}.

configured(#{type := supervisor} = Spec, _) ->
    Spec;
configured(Spec, {_, Restart, Sig, Shutdown}) ->
    Spec#{restart => restart_type(Restart), significant => Sig =:= 1,
        shutdown => shutdown(Shutdown)}.

strategy(ofo) -> one_for_one;
strategy(ofa) -> one_for_all;
strategy(rfo) -> rest_for_one;
strategy(sofo) -> simple_one_for_one.

auto(never) -> never;
auto(any) -> any_significant;
auto(all) -> all_significant.

children(sofo, Obs, Cfg, _, #sup{template = {Restart, _}, pool_of = sup}) ->
    [#{id => pool, start => {oracle, start_sup, [Obs, Cfg]},
        restart => restart_type(Restart), shutdown => infinity,
        type => supervisor}];
children(sofo, Obs, Cfg, _, #sup{template = {Restart, Shutdown}}) ->
    [#{id => pool, start => {oracle, start_worker, [Obs, Cfg]},
        restart => restart_type(Restart), shutdown => shutdown(Shutdown)}];
children(_, Obs, Cfg, Id, _) ->
    [spec(Obs, Cfg, C) || {C, X} <- lists:sort(maps:to_list(Cfg)),
        is_static_child(X, Id)].

is_static_child(#sup{parent = P, static = S}, Id) -> S andalso P =:= Id;
is_static_child(#work{parent = P, static = S}, Id) -> S andalso P =:= Id.

spec(Obs, Cfg, Id) ->
    case maps:get(Id, Cfg) of
        #sup{restart = R, significant = Sig} ->
            #{id => Id, start => {oracle, start_sup, [Obs, Cfg, Id]},
                restart => restart_type(R), significant => Sig,
                type => supervisor, shutdown => infinity, modules => []};
        #work{restart = R, significant = Sig, shutdown = T} ->
            #{id => Id, start => {oracle, start_worker, [Obs, Cfg, Id]},
                restart => restart_type(R), significant => Sig,
                shutdown => shutdown(T), modules => []}
    end.

restart_type(p) -> permanent;
restart_type(t) -> transient;
restart_type(x) -> temporary.

shutdown(-1) -> infinity;
shutdown(-2) -> brutal_kill;
shutdown(T) -> T.

start_sup(Obs, Cfg, Id) ->
    %% supervisor:start_link/2, but for the priority.
    R = gen_server:start_link(supervisor, {self, ?MODULE, {Obs, Cfg, Id}},
        [{spawn_opt, [{priority, high}]}]),
    Obs ! case R of
        {ok, Pid} -> {up, Id, Pid};
        _ -> {failed, Id}
    end,
    R.

start_worker(Obs, Cfg, Id) ->
    case maps:get(Id, Cfg) of
        #work{enabled = false} ->
            ignore;
        #work{timeout = Timeout} = W ->
            started(Obs, Id, proc_lib:start_link(?MODULE, worker,
                [Obs, Id, W], Timeout, [{priority, high}]))
    end.

started(Obs, Id, {ok, Pid} = R) ->
    Obs ! {ready, Id, Pid},
    R;
started(Obs, Id, {error, timeout} = R) ->
    %% OTP 25 does not wait for the end of what it kills.
    ask(Obs, {gone, Id}),
    R;
started(_, _, R) ->
    R.

worker(Obs, Id, W) ->
    process_flag(trap_exit, true),
    [Parent | _] = get('$ancestors'),
    case ask(Obs, {start, Id}) of
        go ->
            proc_lib:init_ack({ok, self()});
        fail ->
            failed(Id);
        hold ->
            receive
                go -> proc_lib:init_ack({ok, self()});
                fail -> Obs ! {fail, Id}, failed(Id);
                {die, R} -> Obs ! {fail, Id}, exit(R)
            end
    end,
    work(Parent, Obs, Id, W).

%% As a gen_server's {stop, R} does, or as a crash does.
failed(Id) ->
    Id rem 2 =:= 0 orelse proc_lib:init_ack({error, boom}),
    exit(boom).

work(Parent, Obs, Id, #work{on_stop = OnStop, answer = Answer} = W) ->
    receive
        {die, R} ->
            exit(R);
        {'EXIT', P, _} when P =:= Parent; is_atom(Parent) ->
            stopping(Obs, Id, OnStop),
            case OnStop of
                obey -> exit(Answer);
                slow -> receive go -> exit(Answer); {die, R} -> exit(R) end;
                refuse -> receive never -> ok end
            end;
        _ ->
            work(Parent, Obs, Id, W)
    end.

stopping(Obs, Id, OnStop) ->
    Ref = make_ref(),
    Obs ! {ask, self(), Ref, {stop, Id, OnStop}},
    receive
        {Ref, ok} -> ok;
        {die, R} -> exit(R)
    end.
