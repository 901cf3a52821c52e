"""A CronJob, the claim that keeps its record and the ConfigMap of its configuration; Kubernetes from 1.31 on."""

import hashlib
import json
import re
import textwrap

from sweeps.configuration.config_file import as_toml
from sweeps.results.exit_codes import ExitCode
from sweeps.scheduling.job import (
    ScheduledJob,
    about_clock_change,
    about_deadline,
    about_environment,
    about_exit_codes,
    about_overlap,
    as_comment,
    head,
)

UTC = "Etc/UTC"
WORK = "/work"
LONGEST_NAME = 52
"""Of a CronJob: 11 characters more make a Job's name, and 63 is the end."""
STARTING_DEADLINE_SECONDS = 6 * 3600


def cron_job(job: ScheduledJob) -> str:
    """Three documents (two without a file of configuration) for `kubectl apply -f`."""
    name = _resource_name(job.name)
    zone = job.zone or UTC
    install = [
        "  python -m sweeps schedule ... | kubectl apply -f -",
        f"Image: {job.image}, which must have this package: FROM python:3.11-slim, COPY . /src,",
        "  RUN pip install -c /src/constraints.txt /src",
        f"Data: {_data(job)}; below {WORK}, which is the claim {name}, or in the image.",
        "A claim whose folder forgets locks (some network file systems) would let two runs meet.",
    ]
    about = [
        head(job, zone, install),
        about_environment(job, f"the Secret {name}: kubectl create secret generic {name} --from-env-file=FILE"),
        about_overlap("concurrencyPolicy: Forbid leaves out a night on which the last Job still runs."),
        about_deadline(job, "then Kubernetes sends SIGTERM, and SIGKILL after two minutes."),
        [
            f"Log: kubectl logs -l cronjob={name} --tail=-1; a failed Pod is kept.",
            "Retries: twice where the Pod was killed (137, 143), without end where its node was drained,",
            "  and never after exit 1, 2, 3, 4 or 75, which would only come again.",
        ],
        about_exit_codes(),
        [
            "Missed night (no controller, no room): it starts up to "
            f"{STARTING_DEADLINE_SECONDS // 3600} h late, and is left out then."
        ],
        about_clock_change(
            job, zone, "Kubernetes leaves that night out.", "Kubernetes starts it twice; the second run is a new sweep."
        ),
    ]
    documents = [_claim(name), _cron_job(job, name, zone)]
    if job.config_file is not None:
        documents.insert(1, _config_map(job, name))
    return as_comment(about) + "---\n".join(documents)


def _claim(name: str) -> str:
    return f"""apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {name}
spec:
  accessModes: [ReadWriteOnce]
  resources:
    requests:
      storage: 10Gi
"""


def _config_map(job: ScheduledJob, name: str) -> str:
    return f"""apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
data:
  config.toml: |2
{textwrap.indent(as_toml(job.config), "    ").rstrip()}
"""


def _cron_job(job: ScheduledJob, name: str, zone: str) -> str:
    never_again = [code.value for code in ExitCode if code is not ExitCode.FINISHED]
    deadline = "" if job.deadline_seconds is None else f"      activeDeadlineSeconds: {job.deadline_seconds}\n"
    config_file = f"{WORK}/{job.config.sweep.name}.toml"
    argument = job.config_argument if job.config_file is None else config_file
    words = ["python", "-m", "sweeps", "run", argument, *job.options]
    mount = (
        ""
        if job.config_file is None
        else (
            f"            - name: config\n              mountPath: {_quoted(config_file)}\n"
            "              subPath: config.toml\n              readOnly: true\n"
        )
    )
    volume = (
        ""
        if job.config_file is None
        else (f"          - name: config\n            configMap:\n              name: {name}\n")
    )
    return f"""apiVersion: batch/v1
kind: CronJob
metadata:
  name: {name}
  labels:
    app.kubernetes.io/name: sweeps
spec:
  schedule: {_quoted(job.when.text)}
  timeZone: {_quoted(zone)}
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: {STARTING_DEADLINE_SECONDS}
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 3
  jobTemplate:
    spec:
{deadline}      backoffLimit: 2
      podFailurePolicy:
        rules:
        - action: FailJob
          onExitCodes:
            containerName: sweep
            operator: In
            values: {json.dumps(never_again)}
        - action: Ignore
          onPodConditions:
          - type: DisruptionTarget
      template:
        metadata:
          labels:
            cronjob: {name}
        spec:
          restartPolicy: Never
          terminationGracePeriodSeconds: 120
          automountServiceAccountToken: false
          securityContext:
            runAsNonRoot: true
            runAsUser: 1000
            runAsGroup: 1000
            fsGroup: 1000
          containers:
          - name: sweep
            image: {_quoted(job.image)}
            command: [{", ".join(_quoted(word.replace("$", "$$")) for word in words)}]
            workingDir: {WORK}
            env:
            - name: HOME
              value: {WORK}
{_variables(job, name)}            securityContext:
              allowPrivilegeEscalation: false
            volumeMounts:
            - name: work
              mountPath: {WORK}
{mount}          volumes:
          - name: work
            persistentVolumeClaim:
              claimName: {name}
{volume}"""


def _variables(job: ScheduledJob, secret: str) -> str:
    named = [(name, "") for name in job.variables]
    asked = [(name, "                  optional: true\n") for name in job.credentials]
    return "".join(
        f"            - name: {name}\n              valueFrom:\n                secretKeyRef:\n"
        f"                  name: {secret}\n                  key: {name}\n{optional}"
        for name, optional in named + asked
    )


def _data(job: ScheduledJob) -> str:
    return " and ".join(path for path in (job.config.data.train, job.config.data.test) if path is not None)


def _resource_name(name: str) -> str:
    """As Kubernetes names things: small letters, digits and hyphens; another name gets the digest of what it was."""
    if len(name) <= LONGEST_NAME and re.fullmatch(r"[a-z0-9-]*[a-z0-9]", name):
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]  # else `a.b` and `a-b` would be one CronJob
    return f"{re.sub(r'[^a-z0-9]+', '-', name.lower())[: LONGEST_NAME - 9].strip('-')}-{digest}"


def _quoted(text: str) -> str:
    """A JSON string is YAML too."""
    return json.dumps(text, ensure_ascii=False)
