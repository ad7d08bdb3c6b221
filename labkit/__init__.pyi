"""What a type checker and an editor read of `import labkit`; `_HOMES` says the same to Python."""

from labkit.commands.instructor import check_all as check_all
from labkit.commands.instructor import status as status
from labkit.commands.instructor import step_buttons as step_buttons
from labkit.commands.instructor import timetable as timetable
from labkit.commands.instructor import troubles as troubles
from labkit.diagnosis.report import diagnose as diagnose
from labkit.errors import LabError as LabError
from labkit.kube.apply import apply as apply
from labkit.kube.apply import manifest as manifest
from labkit.kube.deletion import delete as delete
from labkit.kube.exec import exec as exec  # noqa: A004 - kubectl's word
from labkit.kube.helm import helm_uninstall as helm_uninstall
from labkit.kube.helm import helm_upgrade as helm_upgrade
from labkit.kube.pod_logs import logs as logs
from labkit.kube.pod_run import run as run
from labkit.kube.proxy import connect as connect
from labkit.kube.tables import events as events
from labkit.kube.tables import get as get
from labkit.kube.wait import rollout as rollout
from labkit.kube.wait import wait as wait
from labkit.kube.workloads import create_deployment as create_deployment
from labkit.kube.workloads import create_service as create_service
from labkit.lessons.checks import check as check
from labkit.lessons.checks import solved as solved
from labkit.lessons.fault import plant as plant
from labkit.lessons.hints import hint as hint
from labkit.lessons.hints import solution as solution
from labkit.lessons.likely_cause import load_test as load_test
from labkit.lessons.progress import start as start
from labkit.lessons.reset.goto import goto as goto
from labkit.lessons.reset.goto import reset as reset
from labkit.lessons.trials import try_way as try_way
from labkit.lessons.trials import ways as ways
from labkit.measure.comparison import compare as compare
from labkit.measure.dashboard import dashboard as dashboard
from labkit.measure.fits import fits as fits
from labkit.measure.prometheus import metrics as metrics
from labkit.measure.top import top as top
from labkit.ollama.access_log import each_pod as each_pod
from labkit.ollama.completion import chat as chat
from labkit.ollama.completion import generate as generate
from labkit.ollama.hey import hey as hey
from labkit.ollama.in_progress import restart as restart
from labkit.ollama.in_progress import scale as scale
from labkit.ollama.local_models import models as models
from labkit.ollama.local_models import pull as pull
from labkit.ollama.local_models import show as show
from labkit.ollama.mirror_log import mirrored as mirrored
from labkit.ollama.models import bake as bake
from labkit.ollama.models import slow_model as slow_model
from labkit.ollama.processes import processes as processes
from labkit.ollama.running_models import ps as ps
from labkit.ollama.running_models import stop as stop
from labkit.ollama.timeline import timeline as timeline
from labkit.ui.chart import Chart as Chart
from labkit.ui.table import Table as Table
from labkit.ui.widgets import choice as choice

__version__: str
model: str
