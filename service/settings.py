"""Settings: one typed class, read from the environment and ``.env``. Names in the environment start with ``ZHIPAI_``."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from intake.errors import ZhipaiError, register
from models.side_by_side import usable_cores

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
    log_hash: Literal["sha256", "sm3"] = Field(
        default="sha256", description="决定日志校验树的摘要算法；日志有了第一条记录就不能再改"
    )
    log_origin: str = Field(
        default="",
        max_length=200,
        pattern=r"^[^\s+\x00-\x1f]*$",
        description="决定日志的名称，写在检查点第一行，如 12345.example/log；不填则自动取名；有了第一条记录就不能再改",
    )
    checkpoint_minutes: int = Field(default=60, ge=0, description="每隔几分钟签发一次日志检查点；0 为不定时签发")
    checkpoint_folder: Path | None = Field(
        default=None, description="检查点写到哪个文件夹（可以是另一个部门的共享目录）；不填为 home 下的 checkpoints"
    )
    outbox_targets: Path | None = Field(
        default=None, description="对外通知的目标（YAML，放在仓库之外，写法见 docs/outbox.md）；不填为不对外通知"
    )
    retention: Path | None = Field(default=None, description="保存期限文件；不填用随附的（个人信息不自动删除）")
    kb_backend: Literal["faiss", "milvus"] = Field(
        default="faiss", description="知识条目的向量存在哪里：faiss 在本进程；milvus 在另一台机器，一台放不下时用"
    )
    milvus_uri: str = Field(default="", description="Milvus 的地址，如 http://主机:19530；kb_backend 为 milvus 时必填")
    milvus_token: SecretStr = Field(default=SecretStr(""), description="Milvus 的“用户:密码”或令牌")
    rule_engine: Literal["durable", "python"] = Field(default="durable", description="在线规则引擎")
    host: str = Field(default="127.0.0.1", description="监听地址；没有账号之前只允许本机地址")
    port: int = Field(default=8000, ge=1, le=65535)
    workers: int = Field(default=2, ge=1, le=16, description="服务进程数；两个以上时一个崩溃不影响服务")
    time_zone: str = Field(default="Asia/Shanghai")
    max_body_bytes: int = Field(default=256 * 1024, ge=1024, description="一次请求的最大字节数")
    max_upload_bytes: int = Field(
        default=20 * 1024 * 1024, ge=1024, description="网页上传一个文件的最大字节数（解压之前）"
    )
    sign_in: Literal["auto", "required"] = Field(
        default="auto", description="auto：有了第一个账号就要登录；required：一直要登录"
    )
    allowed_hosts: str = Field(default="", description="除本机外允许的主机名，用逗号分开")
    public_url: str = Field(
        default="", description="用户看到的网址，如 https://zhipai.example；统一登录的回跳地址由它得出"
    )
    cookie_secure: Literal["auto", "always"] = Field(
        default="auto", description="auto：经 https 访问时会话 cookie 带 Secure；always：一律带"
    )
    session_idle_minutes: int = Field(default=30, ge=1, description="会话几分钟没有操作就要重新登录")
    session_hours: int = Field(default=12, ge=1, description="会话最长几小时")
    sign_in_failures: int = Field(default=5, ge=1, description="连续几次登录失败后锁定；第一次一分钟，以后每次加倍")
    sign_in_per_minute: int = Field(default=20, ge=1, description="一个地址每分钟最多尝试几次登录")
    requests_per_minute: int = Field(
        default=600, ge=1, description="一个密钥、会话或地址每分钟最多几次请求（每个进程）"
    )
    password_length: int = Field(default=12, ge=8, le=64, description="密码最少几个字符")
    password_classes: int = Field(default=1, ge=1, le=4, description="密码须含大写、小写、数字、其他中的几类")
    password_days: int = Field(default=0, ge=0, description="密码几天后要换；0 为不定期换")
    oidc_issuer: str = Field(default="", description="统一登录（OpenID Connect）的签发者地址；不填为不用")
    oidc_client_id: str = Field(default="", description="统一登录的客户端编号")
    oidc_client_secret: SecretStr = Field(default=SecretStr(""), description="统一登录的客户端密钥")
    oidc_name: str = Field(default="统一身份认证", description="登录页上统一登录的名称")
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
    def host_names(self) -> frozenset[str]:
        """The names in ``allowed_hosts``."""
        return frozenset(name.strip().lower() for name in self.allowed_hosts.split(",") if name.strip())

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
    def key_folder(self) -> Path:
        return self.home / "keys"

    @property
    def checkpoints(self) -> Path:
        return self.checkpoint_folder or self.home / "checkpoints"

    @property
    def index_folder(self) -> Path:
        return self.home / "indexes"

    @property
    def cores_each(self) -> int:
        """Cores that a service process may count on; the other processes have their share."""
        return max(1, usable_cores() // self.workers)


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
