"""Every setting of Millrace: one typed class, read from the environment.

A setting is `MILLRACE_<COMPONENT>__<NAME>`. The ports in `millrace.services` are the base ports;
`MILLRACE_PORT_OFFSET` moves them all, so that two clusters can run on one machine. The same names
are the environment of the services themselves (`millrace.environment`), so a client and a
service can not disagree about an address.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from millrace.errors import MillraceError
from millrace.services import (
    Airflow,
    DataNode,
    History,
    Kafka,
    Metastore,
    NameNode,
    NodeManager,
    ObjectStore,
    Postgres,
    Registry,
    ResourceManager,
    SecondDataNode,
    Service,
    ThirdDataNode,
    Trino,
)

ROOT = Path(__file__).resolve().parent.parent
HIGHEST_PORT = 65_535


class Landing(BaseModel):
    """The landing application: how often it commits, how much at once, and its sizes on YARN."""

    trigger_seconds: float = 2.0
    max_offsets: int = 60_000
    patience_seconds: float = 600.0
    driver_memory: str = "640m"
    executor_memory: str = "640m"
    executor_cores: int = 2


class Maintenance(BaseModel):
    """What table maintenance leaves alone, and for how long.

    `longest_job_hours`: a task of Airflow ends after an hour and is tried four times at most, a
    landing batch after minutes; a day covers them all and a person's long query. No snapshot that
    is younger is expired, and no file that is younger is taken for an orphan.
    """

    longest_job_hours: float = Field(24.0, ge=0)
    #: Between the longest job and this an orphan may still be looked at by hand. Never below an
    #: hour: a landing batch is tried again for ten minutes, with files that no snapshot has yet.
    orphan_hours: float = Field(72.0, ge=1)
    #: For so long a table keeps the snapshots that a processed table has still to read.
    reader_days: float = Field(7.0, ge=0)
    processed_days: int = Field(180, ge=1)
    curated_days: int = Field(365, ge=1)
    #: Smaller files are put together; a scan of one costs as much in opening as in reading.
    small_file_mb: int = Field(32, ge=1)

    @model_validator(mode="after")
    def _orphans_outlive_jobs(self) -> Maintenance:
        if self.orphan_hours < self.longest_job_hours:
            hours, orphan = f"{self.longest_job_hours:g}", "MILLRACE_MAINTENANCE__ORPHAN_HOURS"
            raise PydanticCustomError(
                "orphan_hours",
                "it is {own}, below MILLRACE_MAINTENANCE__LONGEST_JOB_HOURS, which is {longest}:"
                " files in use would go",
                {
                    "own": f"{self.orphan_hours:g}",
                    "longest": hours,
                    "variable": orphan,
                    "remedy": f"export {orphan}={hours}",
                },
            )
        return self


class Notify(BaseModel):
    """Where a failed task is reported: a URL that takes a JSON POST; empty means nowhere."""

    url: str = ""


class Settings(BaseSettings):
    """All settings; `load` gives the cached instance of this process."""

    model_config = SettingsConfigDict(
        env_prefix="MILLRACE_", env_nested_delimiter="__", extra="ignore"
    )

    root: Path = ROOT
    home: Path = ROOT / ".millrace"
    contracts: Path = ROOT / "contracts"
    port_offset: int = 0
    tier: Literal["small", "standard"] = "small"

    kafka: Kafka = Kafka()
    registry: Registry = Registry()
    namenode: NameNode = NameNode()
    datanode: DataNode = DataNode()
    datanode_2: SecondDataNode = SecondDataNode()
    datanode_3: ThirdDataNode = ThirdDataNode()
    resourcemanager: ResourceManager = ResourceManager()
    nodemanager: NodeManager = NodeManager()
    metastore: Metastore = Metastore()
    objectstore: ObjectStore = ObjectStore()
    trino: Trino = Trino()
    airflow: Airflow = Airflow()
    history: History = History()
    postgres: Postgres = Postgres()
    landing: Landing = Landing()
    maintenance: Maintenance = Maintenance()
    notify: Notify = Notify()

    @model_validator(mode="after")
    def _move_ports(self) -> Settings:
        """Add the offset to every port that was not given explicitly."""
        for service in self.services().values():
            for name in type(service).model_fields:
                if name.endswith("port") and name not in service.model_fields_set:
                    moved = getattr(service, name) + self.port_offset
                    if not 0 < moved <= HIGHEST_PORT:
                        raise ValueError(f"{self.port_offset} moves {name} to {moved}")
                    # Not through __setattr__: a default must stay a default.
                    service.__dict__[name] = moved
        return self

    def model_post_init(self, context: Any) -> None:
        """Give this instance services of its own, so that moving ports leaves the defaults."""
        # Services work in folders of their own.
        self.__dict__["home"] = self.home.absolute()
        self.__dict__["contracts"] = self.contracts.absolute()
        for name, service in self.services().items():
            self.__dict__[name] = service.model_copy()

    def services(self) -> dict[str, Service]:
        """Component name to its address, in the order of declaration."""
        values = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: value for name, value in values if isinstance(value, Service)}

    @property
    def dist(self) -> Path:
        """Links to the distribution's units."""
        return self.home / "dist"

    @property
    def config(self) -> Path:
        """Configuration of the services, one folder each."""
        return self.root / "config"

    @property
    def secrets(self) -> Path:
        """One file a secret, readable by its owner alone."""
        return self.home / "secrets"

    @property
    def ledger(self) -> Path:
        """What the producers sent and what the broker said of it."""
        return self.home / "ledger"

    @property
    def sample(self) -> Path:
        """Generated sample data and its manifest."""
        return self.home / "sample"

    def secret(self, name: str) -> str:
        """The value of one secret.

        Raises:
            MillraceError: the cluster has not made its secrets yet.
        """
        try:
            return (self.secrets / name).read_text().strip()
        except FileNotFoundError:
            raise MillraceError(
                f"secret {name}", f"{self.secrets} has no such file", "make up"
            ) from None


@cache
def load() -> Settings:
    """The settings of this process.

    Raises:
        MillraceError: a variable of the environment holds what its setting can not be.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        if "remedy" in (context := first.get("ctx", {})):
            cause = first["msg"]
            raise MillraceError(context["variable"], cause, context["remedy"]) from None
        # Only moving the ports looks at more than one component.
        path = "__".join(str(part) for part in first["loc"]) or "port_offset"
        variable = f"MILLRACE_{path}".upper()
        cause = first["msg"].removeprefix("Value error, ")
        if first["loc"]:
            cause = f"it is {first['input']!r}: {cause[0].lower()}{cause[1:]}"
        raise MillraceError(variable, cause, f"unset {variable}") from None
    except SettingsError as error:
        remedy = "env | grep ^MILLRACE_  # unset the one that holds no setting"
        raise MillraceError("the settings", str(error), remedy) from None
