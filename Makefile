# 智派：两条命令就够了 —— make serve（启动服务）、make test（跑全部测试）。它们会自己完成所需的准备。
SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PORT ?=
AGAIN ?=
# 测试分给几个进程，每个约 1.5 GB 内存
JOBS ?= 2
export OMP_NUM_THREADS ?= 1

.PHONY: help install serve demo test test-e2e test-pg audit-deps test-slow soak bench quality lock lint clean-venv

help: ## 显示这份说明
	@awk 'BEGIN{FS=":.*## "} /^[a-z-]+:.*## /{printf "  make %-10s %s\n",$$1,$$2}' $(MAKEFILE_LIST)

install: ## 只做准备：虚拟环境、依赖、编码器、数据库、默认模型
	@sh tools/install.sh
	@$(BIN)/zhipai setup

serve: ## 启动服务（第一次会先完成准备）；换端口：make serve PORT=8001
	@sh tools/install.sh
	@exec $(BIN)/zhipai serve $(if $(PORT),--port $(PORT))

demo: ## 用示范城市建一个月的演示数据（在 var/demo，不碰真实数据）并启动；重建：make demo AGAIN=1
	@sh tools/install.sh
	@exec $(BIN)/zhipai demo $(if $(AGAIN),--again) $(if $(PORT),--port $(PORT))

test: ## 全部检查：格式、类型、房间边界、测试；连覆盖率（慢一半以上）：make test COVERAGE=1
	@sh tools/install.sh dev
	@$(BIN)/zhipai setup
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not slow" --ignore=tests/e2e/browser --ignore=tests/postgres $(if $(COVERAGE),--cov --cov-report=term:skip-covered)

lint: ## 只做静态检查
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

test-slow: ## 要跑几分钟的测试
	@sh tools/install.sh dev
	@$(BIN)/zhipai setup
	@$(BIN)/python -m pytest -m slow

test-pg: ## 在 PostgreSQL 上测试：没有就从 Debian 的软件包安装，用私有套接字启动，用完停止
	@sh tools/install.sh dev
	@$(BIN)/zhipai setup
	@sh tools/postgres.sh install
	@POSTGRES_OPTIONS='-c fsync=off' sh tools/postgres.sh run $(BIN)/python -m pytest tests/postgres
	@POSTGRES_OPTIONS='-c fsync=off' sh tools/postgres.sh run $(BIN)/python -m pytest -p tests.postgres.everywhere -m "not slow" $$(cat tests/postgres/also.txt)

test-e2e: ## 浏览器测试：没有 Chromium 和中文字体就从 Debian 的软件包安装
	@sh tools/install.sh dev
	@$(BIN)/zhipai setup
	@sh tools/chromium.sh
	@$(BIN)/python -m pytest tests/e2e/browser

soak: ## 持续混合负载十五分钟，印出 docs/soak.md 的数字；短的：make soak MINUTES=3
	@sh tools/install.sh dev
	@$(BIN)/zhipai setup
	@$(BIN)/python -m benchmarks.soak --minutes $(or $(MINUTES),15)

bench: ## 速度与内存，以一次运行内的比值给出
	@sh tools/install.sh dev
	@$(BIN)/zhipai setup
	@$(BIN)/python -m benchmarks

quality: ## 重新测量并生成 docs/quality.md（需要真实数据，要训练约四十次）
	@sh tools/install.sh
	@$(BIN)/zhipai setup
	@nice -n 5 $(BIN)/zhipai quality
	@nice -n 5 $(BIN)/python -m benchmarks.knowledge_quality --write

audit-deps: ## 查依赖的已知漏洞（要能连到有漏洞数据的索引）
	@sh tools/install.sh dev
	@$(BIN)/python tools/audit_deps.py

lock: ## 更新两份锁文件（改了 pyproject.toml 之后）
	@sh tools/lock.sh

clean-venv: ## 删掉虚拟环境，下次重新安装
	@rm -rf $(VENV)
