#!/bin/sh
# Virtual environment and dependencies, from the lock file. Called by every make target; does nothing when all is there.
# A run that was interrupted leaves no stamp, so that the next one goes on where pip stopped.
set -eu
cd "$(dirname "$0")/.."
want=${1:-serve}
venv=.venv
say() { printf '%s\n' "$*" >&2; }
die() { say "出错：$*"; exit 3; }

find_python() {
    for name in ${PYTHON:-} python3.13 python3.12 python3.11 python3; do
        if command -v "$name" >/dev/null 2>&1 &&
            "$name" -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info < (3, 14)))' 2>/dev/null; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

stamp_of() { cat "$1" pyproject.toml tools/install.sh | cksum | cut -d' ' -f1; }

if [ "$want" = dev ]; then lock=requirements-dev.lock; else lock=requirements.lock; fi
stamp="$venv/.installed-$want"
now=$(stamp_of "$lock")
if [ -x "$venv/bin/python" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$now" ]; then
    exit 0
fi

if ! { [ -x "$venv/bin/python" ] && "$venv/bin/python" -m pip --version >/dev/null 2>&1; }; then
    python=$(find_python) || die "没有找到 Python 3.11 至 3.13。请先安装（Debian/Ubuntu：apt-get install python3 python3-venv），或用 PYTHON=路径 指定。"
    free=$(df -Pm . | awk 'NR==2{print $4}')
    [ "$free" -ge 6000 ] || die "这个磁盘只剩 ${free} MB，安装需要约 6000 MB。请清理后重新运行。"
    say "[安装 1/3] 创建虚拟环境 $venv（约 10 秒）"
    rm -rf "$venv"
    "$python" -m venv "$venv" >&2 || die "不能创建虚拟环境。Debian/Ubuntu 请先安装 python3-venv：apt-get install python3-venv，然后重新运行。"
fi

say "[安装 2/3] 安装依赖（$lock，约 2 至 5 分钟，视网络而定）"
bar=off
[ -t 2 ] && bar=on
"$venv/bin/python" -m pip install --progress-bar "$bar" --disable-pip-version-check --no-input -r "$lock" >"$venv/install.log" 2>&1 &
job=$!
trap 'kill $job 2>/dev/null; exit 130' INT TERM
seen=""
while kill -0 $job 2>/dev/null; do
    line=$(grep -E '^(Collecting|Installing collected|Building wheel)' "$venv/install.log" 2>/dev/null | tail -n 1 | cut -c1-70) || line=""
    if [ -n "$line" ] && [ "$line" != "$seen" ]; then
        seen=$line
        count=$(grep -c '^Collecting' "$venv/install.log" 2>/dev/null) || count=0
        if [ -t 2 ]; then printf '\r\033[K  已取得 %s 个包：%s' "$count" "$line" >&2; fi
    fi
    sleep 1
done
[ -t 2 ] && printf '\r\033[K' >&2
wait $job || {
    grep -E 'ERROR|No space' "$venv/install.log" | tail -n 3 >&2
    grep -q 'No space left' "$venv/install.log" && die "磁盘空间不足，依赖没有装完。请清理后重新运行，会接着装。"
    die "依赖没有装完（详见 $venv/install.log）。请检查网络或软件源后重新运行，会接着装。"
}
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . >>"$venv/install.log" 2>&1 ||
    die "智派自身没有装上（详见 $venv/install.log）。"

say "[安装 3/3] 编译 durable_rules（需要 C 编译器，约 20 秒）"
if "$venv/bin/python" -c 'import durable_rules_engine' 2>/dev/null; then
    :
elif "$venv/bin/python" -m pip install --quiet --disable-pip-version-check durable-rules==2.0.28 >>"$venv/install.log" 2>&1; then
    :
else
    say "  没有装上 durable_rules（多半是没有 C 编译器）。不影响使用：由参考引擎判断，结论相同，只少一道互校。"
    say "  以后要补装：装好 gcc 和 python3-dev，再运行 make clean-venv install。"
fi
printf '%s' "$now" >"$stamp"
# The development lock holds everything that serving needs.
[ "$want" = dev ] && stamp_of requirements.lock >"$venv/.installed-serve"
exit 0
