#!/bin/sh
# Pin every dependency. No index address and no hash goes into the files: the CPU build of torch differs by machine.
set -eu
cd "$(dirname "$0")/.."
compile() {
    .venv/bin/pip-compile --quiet --upgrade --no-emit-index-url --no-emit-find-links --no-header --strip-extras --allow-unsafe \
        --annotation-style=line "$@" pyproject.toml
}
compile --extra dev --extra milvus --output-file requirements-dev.lock
sed -i 's/^\(torch==[0-9.]*\)+cpu/\1/' requirements-dev.lock
compile --constraint requirements-dev.lock --output-file requirements.lock
sed -i 's/^\(torch==[0-9.]*\)+cpu/\1/' requirements.lock
echo "锁文件已更新：requirements.lock、requirements-dev.lock"
