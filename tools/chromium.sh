#!/bin/sh
# Chromium and fonts for Chinese, for the browser tests. Another browser: ZHIPAI_CHROMIUM=/path/to/chromium
set -eu
if [ -x "${ZHIPAI_CHROMIUM:-/usr/bin/chromium}" ] && fc-list 2>/dev/null | grep -qi 'noto.*cjk'; then
    exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "出错：没有 Chromium 或中文字体。请安装（Debian/Ubuntu：apt-get install chromium fonts-noto-cjk），或用 ZHIPAI_CHROMIUM=路径 指定。" >&2
    exit 3
fi
echo "[浏览器] 安装 Chromium 与中文字体（约 1 分钟）" >&2
apt-get update -qq >/dev/null && apt-get install -y -qq chromium fonts-noto-cjk >/dev/null || {
    echo "出错：Chromium 没有装上。请检查网络或软件源后重新运行。" >&2
    exit 3
}
