"""Settings: one typed class, read from the environment and ``.env``. Names in the environment start with ``ZHIPAI_``."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from intake.errors import ZhipaiError, register

register("E7001", "设置有误", "设置“{name}”不对：{problem}。请检查环境变量或 .env 文件。", exit_code=3)

ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Everything an installation may decide. Run-time state lives under ``home``; model store under ``mlruns``."""

    model_config = SettingsConfigDict(env_prefix="ZHIPAI_", env_file=".env", env_file_encoding="utf-8", extra="ignore")

    home: Path = Field(default=ROOT / "var", description="运行数据的文件夹：数据库、索引、编码器")
    mlruns: Path = Field(default=ROOT / "mlruns", description="MLflow 的存储")
    city: Path = Field(default=ROOT / "datasets" / "city", description="随附的示范城市")
    encoder: Path | None = Field(default=None, description="自备编码器的文件夹；不填用随附的")
    database_url: str = Field(default="", description="SQLAlchemy 地址；不填用 home 下的 SQLite")
    busy_seconds: float = Field(default=5.0, gt=0, description="数据库被占用时最多等几秒")
    pack: str = Field(default="weifang", description="规则包：rules/packs 下的名字或一个文件夹")
    rule_overrides: Path | None = Field(default=None, description="用户单位填写的参数和时限（overrides.yaml 的写法）")
    shadow_pack: str = Field(default="", description="影子规则包：每条建议之后再用它判断一次，只计数，不影响建议")
    shadow_model: str = Field(
        default="", description="影子模型的别名（如 challenger）；每条建议之后再排一次，只计数，不影响建议"
    )
    kb_update_days: int | None = Field(
        default=None, ge=1, description="请单位更新知识条目后，几天内应当更新；没有填就不判断是否按时"
    )
    rule_engine: Literal["durable", "python"] = Field(default="durable", description="在线规则引擎")
    host: str = Field(default="127.0.0.1", description="监听地址；没有登录之前只允许本机地址")
    port: int = Field(default=8000, ge=1, le=65535)
    workers: int = Field(default=2, ge=1, le=16, description="服务进程数；两个以上时一个崩溃不影响服务")
    time_zone: str = Field(default="Asia/Shanghai")
    max_body_bytes: int = Field(default=256 * 1024, ge=1024, description="一次请求的最大字节数")
    reload_seconds: float = Field(default=2.0, gt=0, description="多久查看一次有没有新的模型或知识")
    log_format: Literal["console", "json"] = "console"

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("不是已知的时区，例如 Asia/Shanghai") from error
        return value

    @property
    def sqlite_path(self) -> Path:
        return self.home / "zhipai.db"

    @property
    def url(self) -> str:
        return self.database_url or f"sqlite:///{self.sqlite_path}"

    @property
    def encoder_folder(self) -> Path:
        return self.encoder or self.home / "encoder"

    @property
    def index_folder(self) -> Path:
        return self.home / "indexes"


def load_settings(**overrides: object) -> Settings:
    """Read the settings; a bad value becomes E7001 with its name, never a stack trace."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = "ZHIPAI_" + "_".join(str(part) for part in first["loc"]).upper()
        raise ZhipaiError("E7001", {"name": name, "problem": first["msg"]}) from error


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process."""
    return load_settings()
