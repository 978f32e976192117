# Everything a newcomer needs. Each target makes what it needs first; nothing else is prepared.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out
READY := $(VENV)/.ready
PIP_LOG := $(VENV)/pip.log
# What pip cannot bring: the Chinese typeface, the production broker, the drawing libraries.
SYSTEM := fonts-noto-cjk mosquitto libgl1 libegl1 libgles2 libgl1-mesa-dri systemd udev umockdev espeak-ng alsa-utils faketime xvfb

.PHONY: help install system check format test demo bench screens torture schemas clean

help:
	@echo "make demo    整个大厅在一台机器上演示（make demo ARGS=\"--once --headless --out out\"）"
	@echo "make test    全部测试"
	@echo "make check   格式、规范、类型、房间之间的引用规则"
	@echo "make bench   README 中的数字"
	@echo "make screens 评价器的全部画面      make torture  随机故障（ARGS=\"--faults 1000 --seed 1\"）"
	@echo "make format  整理格式      make schemas  重新导出 docs/schemas      make clean  删除 .venv 等"

install: $(READY)
	@echo "已装好。下一步：评价器和大厅服务器见 docs/operations.zh-CN.md 的“安装”，"
	@echo "入网台见 docs/enrolment.zh-CN.md；只想先看看：make demo"

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "需要 Python 3.11 或更新版本，当前是：$$($(PYTHON) --version)"; exit 1; }
	@sh scripts/system-packages $(SYSTEM)
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || sh scripts/system-packages python3-venv
	@echo "首次准备：正在安装依赖（约一分钟）……"
	@$(PYTHON) -m venv $(VENV)
	@{ $(BIN)/python -m pip install --require-hashes -r requirements.lock && \
		$(BIN)/python -m pip install --no-build-isolation --no-deps -e .; } >$(PIP_LOG) 2>&1 || \
		{ cat $(PIP_LOG) >&2; echo "依赖没有装好：请检查网络和磁盘，再执行一次" >&2; exit 1; }
	@touch $(READY)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: $(READY)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(ARGS)

demo: $(READY)
	$(BIN)/pingyi-demo $(ARGS)

bench: $(READY)
	$(BIN)/python -m bench $(ARGS)

screens: $(READY)
	$(BIN)/python -m tests.device.screens $(OUT)/screens

torture: $(READY)
	$(BIN)/python -m bench.torture --out $(OUT)/torture $(ARGS)

schemas: $(READY)
	$(BIN)/python -m protocol.schemas docs/schemas

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
