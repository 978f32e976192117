"""What click and the system say in English, in Chinese, for whoever typed a command.

Beside `strict`, which does the same for what people write into files. Says, and prints nothing.
"""

import errno
import re

import click

_SYSTEM = {
    errno.EACCES: "没有权限",
    errno.EPERM: "没有权限",
    errno.EROFS: "只读文件系统",
    errno.ENOSPC: "磁盘已满",
    errno.EDQUOT: "超出磁盘配额",
    errno.EFBIG: "文件大小超出限制",
    errno.EIO: "磁盘读写出错",
    errno.ENOENT: "找不到",
    errno.ENOTDIR: "路径中有文件，不是目录",
    errno.EISDIR: "是目录，不是文件",
    errno.EEXIST: "已经存在",
    errno.ENOTEMPTY: "目录不是空的",
    errno.EBUSY: "正被占用",
    errno.EMFILE: "打开的文件太多",
    errno.ENAMETOOLONG: "名称太长",
    errno.ECONNREFUSED: "对方拒绝连接",
    errno.EADDRINUSE: "地址已被占用",
    errno.EADDRNOTAVAIL: "本机没有这个地址",
}
_SQLITE = {
    "SQLITE_FULL": "磁盘已满",
    "SQLITE_READONLY": "只能读，不能写",
    "SQLITE_CANTOPEN": "打不开",
    "SQLITE_IOERR": "磁盘读写出错",
    "SQLITE_BUSY": "正被另一个程序占用",
    "SQLITE_LOCKED": "正被另一个程序占用",
    "SQLITE_CORRUPT": "内容已损坏",
    "SQLITE_NOTADB": "不是数据文件，或内容已损坏",
}
_PIECES = {"[OPTIONS]": "[选项]", "COMMAND [ARGS]...": "命令 …"}
_PATHS = (
    ("does not exist", "找不到 {0}"),
    ("is a directory", "{0} 是目录，应是文件"),
    ("is a file", "{0} 是文件，应是目录"),
    ("is not readable", "没有读取 {0} 的权限"),
    ("is not writable", "没有写入 {0} 的权限"),
)


def system(error: Exception) -> str:
    """Return what a file, the system or SQLite refused; its own words where there are no others."""
    named = getattr(error, "sqlite_errorname", "")
    for start, words in _SQLITE.items():
        if named.startswith(start):
            return words
    if isinstance(error, UnicodeError):
        return "不是 UTF-8 编码的文字"
    if isinstance(error, OSError):
        return _SYSTEM.get(error.errno or 0) or error.strerror or str(error)
    return str(error)


def command_line(error: click.ClickException) -> str:
    """Return what is wrong with a command line, with how it is to be written."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message()
    said = _said(error)
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return said
    pieces = [_PIECES.get(each, each) for each in context.command.collect_usage_pieces(context)]
    usage = " ".join((context.command_path, *pieces))
    return f"{said}\n用法：{usage}\n说明：{context.command_path} --help"


def _said(error: click.ClickException) -> str:
    said = error.message if _is_chinese(error.message) else "命令没有写对"
    match error:
        case click.NoSuchOption():
            said = f"没有 {error.option_name} 这个选项" + _perhaps(error.possibilities)
        case click.exceptions.NoSuchCommand():
            said = f"没有“{error.command_name}”这个命令" + _perhaps(error.possibilities)
        case click.BadOptionUsage():
            takes = "requires" in error.message
            said = f"{error.option_name} " + ("后面要写值" if takes else "后面不写值")
        case click.MissingParameter():
            said = f"缺少 {_place(error)}"
        case click.BadParameter():
            said = f"{_place(error)}：{_value(error)}"
        case click.FileError():
            said = f"打不开 {error.filename}"
        case click.UsageError():
            if found := re.search(r"unexpected extra arguments? \((.*)\)", error.message):
                said = f"多写了 {found[1]}"
    return said


def _perhaps(names: object) -> str:
    listed = [str(name) for name in names] if isinstance(names, list | tuple) else []
    return f"，是不是 {'、'.join(listed)}？" if listed else ""


def _place(error: click.BadParameter) -> str:
    if error.param is not None:
        return error.param.get_error_hint(error.ctx).replace("'", "")
    hint = error.param_hint
    return hint if isinstance(hint, str) else "、".join(hint or ()) or "参数"


def _value(error: click.BadParameter) -> str:
    if _is_chinese(error.message):
        return error.message
    kind = error.param.type if error.param is not None else None
    match kind:
        case click.Choice():
            return f"只能是 {'、'.join(map(str, kind.choices))} 之一"
        case click.IntRange():
            return "应是" + _bounds(kind.min, kind.max) + "的整数"
        case click.DateTime():
            return "应是日期，写成 2026-01-31"
        case click.Path() | click.File():
            return _path(error.message)
    return "应是整数" if kind is click.INT else "值不对"


def _bounds(least: float | None, most: float | None) -> str:
    if least is None or most is None:
        one = least if most is None else most
        return f"不小于 {one} " if most is None else f"不大于 {one} "
    return f" {least} 至 {most} "


def _path(message: str) -> str:
    name = re.search("'(.*)'", message)
    for english, chinese in _PATHS:
        if english in message:
            return chinese.format(name[1] if name else "").strip()
    return "不能用"


def _is_chinese(text: str) -> bool:
    return bool(re.search("[\u4e00-\u9fff]", text))
