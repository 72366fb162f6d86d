"""Spark on YARN: submit once, follow without a worker, find again, kill with the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, TaskDeferralError, TaskDeferralTimeout

from millrace_airflow import yarn
from millrace_airflow.defaults import SPARK_POOL
from millrace_airflow.process import Process
from millrace_airflow.tries import generation
from millrace_airflow.yarn_trigger import YarnApplicationTrigger

#: What of the driver's output is part of the error: an exception, or an error with its remedy.
LAST_LINES, LINE_LENGTH = 3, 300
NEW_LINE = "\n  "
SUBMIT = "$MILLRACE_ROOT/scripts/spark-submit"


class SparkOperator(BaseOperator):
    """Run a PySpark program on YARN in cluster mode.

    `spark-submit` leaves as soon as YARN has accepted the application; a trigger follows it. Every
    try first looks for an application that a former try of the same run submitted, and adopts
    it instead of submitting again (`millrace_airflow.yarn` says which). Clearing the task, marking
    it, or its timeout kills the application.

    Args:
        application: the program, relative to the project's folder.
        arguments: templated words of the program's command line.
        yarn_queue: `batch` or `streaming`; Airflow's own `queue` is something else.
        spark_conf: further Spark settings of this application.
    """

    template_fields: Sequence[str] = ("application", "arguments", "spark_conf")
    ui_color = "#ffedd5"

    def __init__(
        self,
        *,
        application: str,
        arguments: Sequence[str] = (),
        yarn_queue: str = "batch",
        spark_conf: Mapping[str, str] | None = None,
        pool: str = SPARK_POOL,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool=pool, **kwargs)
        self.application = application
        self.arguments = list(arguments)
        self.yarn_queue = yarn_queue
        self.spark_conf = dict(spark_conf or {})
        self._process = Process()
        self._tags: yarn.Tags | None = None

    def tags(self, context: Any) -> yarn.Tags:
        """The identity of this task's applications on YARN."""
        instance = context["ti"]
        return yarn.Tags.of(
            instance.dag_id,
            instance.task_id,
            instance.run_id,
            -1 if instance.map_index is None else instance.map_index,
            generation=generation(self, instance),
        )

    def command(self, tags: yarn.Tags) -> list[str]:
        """The submission, its machine-dependent part still a variable."""
        settings = {
            "spark.yarn.submit.waitAppCompletion": "false",
            "spark.yarn.tags": f"{tags.task},{tags.generation}",
            **self.spark_conf,
        }
        words = [SUBMIT, "--master", "yarn", "--deploy-mode", "cluster"]
        words += ["--queue", self.yarn_queue, "--name", f"{self.dag_id}.{self.task_id}"]
        for name, value in settings.items():
            words += ["--conf", f"{name}={value}"]
        return [*words, f"$MILLRACE_ROOT/{self.application}", *self.arguments]

    def execute(self, context: Any) -> str | None:
        """Find or submit the application, then wait for it in the triggerer."""
        # First: a submission of an earlier try that is under way would not be found yet.
        self._process.take(context["ti"])
        self._tags = tags = self.tags(context)
        manager = yarn.ResourceManager()
        application = manager.find(tags)
        if application is None:
            self._process.run(self.command(tags))
            application = manager.find(tags) or self._newest(manager, tags)
        else:
            self.log.info("%s already does this work: %s", application.id, application.state)
        if application.has_succeeded:
            return application.id
        self.log.info("following %s (tag %s)", application.id, tags.task)
        self.defer(
            trigger=YarnApplicationTrigger(application.id),
            method_name=self.finish.__name__,
            timeout=self.execution_timeout,
        )
        return None

    def _newest(self, manager: yarn.ResourceManager, tags: yarn.Tags) -> yarn.Application:
        """The application just submitted, where it has already ended badly."""
        applications = manager.tagged(tags.task)
        if not applications:
            raise AirflowException(
                f"{self.application}: spark-submit ended well, but YARN has no application with "
                f"the tag {tags.task}; to mend it: see the log above, then clear this task"
            )
        return applications[0]

    def finish(self, context: Any, event: dict[str, str]) -> None:
        """Raise with what YARN and the driver's log say; success never comes here."""
        application_id = event["application_id"]
        reasons = [event["diagnostics"] or "no diagnostics"]
        output = yarn.driver_output(event["log_url"])
        if output:
            self.log.error("the driver's last output:\n%s", output)
            reasons += [line[:LINE_LENGTH] for line in output.splitlines()[-LAST_LINES:]]
        where = event["log_url"] or yarn.application_url(application_id)
        raise AirflowException(
            f"{application_id} ({self.application}) ended as {event['outcome']}: "
            f"{NEW_LINE.join(reasons)}\n  its log: {where}"
        )

    def resume_execution(self, next_method: str, next_kwargs: Any, context: Any) -> Any:
        """Kill the application where the wait timed out or its trigger broke."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except (TaskDeferralError, TaskDeferralTimeout):
            self._tags = self.tags(context)
            self._kill_applications()
            raise

    def on_kill(self) -> None:
        """End the submission, and the application if it was accepted meanwhile.

        A try that was frozen and comes back is ended when another one has long taken over; the
        application is the other one's then.
        """
        self._process.stop()
        if not self._process.is_superseded:
            self._kill_applications()

    def _kill_applications(self) -> None:
        if self._tags is None:
            return
        manager = yarn.ResourceManager(patience_seconds=0)
        for application in manager.tagged(self._tags.task):
            if application.is_living:
                self.log.info("killing %s", application.id)
                manager.kill(application.id)
