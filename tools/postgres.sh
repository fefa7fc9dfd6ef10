#!/bin/sh
# A PostgreSQL of its own for tests and benchmarks: in a temporary folder, on a private socket, never on TCP.
#   tools/postgres.sh install          install Debian's package if there is none (as root)
#   tools/postgres.sh run COMMAND …    start one, run the command with ZHIPAI_TEST_POSTGRES set, stop it, whatever happens
#   tools/postgres.sh start FOLDER     start the server of a folder that "run" has made (the tests restart it)
#   tools/postgres.sh stop FOLDER      stop it, as a computer that is switched off does
# Durable as in service (fsync and synchronous_commit are on), unless POSTGRES_OPTIONS says otherwise: no test cuts the
# power, so that theirs says "-c fsync=off".
set -eu
say() { printf '%s\n' "$*" >&2; }
die() { say "出错：$*"; exit 3; }

programs() { # the newest server on this machine
    for place in ${POSTGRES_BIN:-} $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -rn); do
        if [ -x "$place/initdb" ]; then printf '%s' "$place"; return 0; fi
    done
    found=$(command -v initdb) && dirname "$found"
}

install() {
    bin=$(programs) || bin=""
    [ -z "$bin" ] || return 0
    [ "$(id -u)" = 0 ] || die "没有找到 PostgreSQL 服务端，又不是 root，不能安装。Debian/Ubuntu：apt-get install postgresql；或用 POSTGRES_BIN=文件夹 指定。"
    command -v apt-get >/dev/null 2>&1 || die "没有找到 PostgreSQL 服务端，也没有 apt-get。请先安装，或用 POSTGRES_BIN=文件夹 指定。"
    say "[PostgreSQL] 安装 Debian 的软件包（约 1 分钟）"
    # The package would start a server of its own; nobody asked for that one.
    mkdir -p /etc/postgresql-common
    [ -f /etc/postgresql-common/createcluster.conf ] || echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql; } >&2 ||
        die "PostgreSQL 没有装上。请检查软件源后重新运行。"
}

as_owner() { # the server refuses to run as root
    if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups "$@"; else "$@"; fi
}

control() {
    cd /
    as_owner "$bin/pg_ctl" -D "$1/data" -s -w "$2" -t 300 -m immediate -l "$1/log" \
        -o "-c listen_addresses='' -c unix_socket_directories='$1' -c max_connections=300 -c shared_buffers=128MB ${POSTGRES_OPTIONS:-}" >&2
}

run() {
    folder=$(mktemp -d "${TMPDIR:-/tmp}/zhipai-pg-XXXXXX")
    job=""
    finish() {
        code=$?
        trap - EXIT INT TERM HUP
        [ -z "$job" ] || kill "$job" 2>/dev/null || true
        (control "$folder" stop) 2>/dev/null || true
        rm -rf "$folder"
        exit "$code"
    }
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    if [ "$(id -u)" = 0 ]; then chown postgres:postgres "$folder"; fi
    (cd / && as_owner "$bin/initdb" -D "$folder/data" -U zhipai -A trust -E UTF8 --locale=C.UTF-8 >"$folder.init" 2>&1) ||
        { cat "$folder.init" >&2; rm -f "$folder.init"; die "PostgreSQL 的数据文件夹没有建成。"; }
    rm -f "$folder.init"
    (control "$folder" start) || { tail -n 5 "$folder/log" >&2; die "PostgreSQL 没有启动。"; }
    ZHIPAI_TEST_POSTGRES="postgresql+psycopg://zhipai@/postgres?host=$folder"
    export ZHIPAI_TEST_POSTGRES
    # In the background, so that an interrupt reaches the trap at once.
    "$@" &
    job=$!
    wait "$job" && status=0 || status=$?
    job=""
    return "$status"
}

action=${1:-}
[ $# -eq 0 ] || shift
case "$action" in
install) install ;;
run | start | stop)
    bin=$(programs) || die "没有找到 PostgreSQL 服务端。请先运行 tools/postgres.sh install。"
    if [ "$action" = run ]; then run "$@"; else control "$1" "$action"; fi
    ;;
*) die "用法：tools/postgres.sh install | run 命令… | start 文件夹 | stop 文件夹" ;;
esac
