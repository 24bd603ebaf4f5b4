"""Modules over 80 lines that no test of their room imports, by what tests them instead.

This list may only shrink: test_layout.py refuses a module that is tested, small or gone.
"""

UNTESTED = {
    "each file of tests/cases is read through it, by tests/workflow/test_load.py": (
        *("core.yaml.parse", "core.yaml.syntax_errors", "workflow.contexts", "workflow.env"),
        *("workflow.expand", "workflow.header", "workflow.reader", "workflow.rules"),
        *("workflow.schema_errors", "workflow.steps", "cli.locate", "cli.open_session"),
    ),
    "warnings of tests/cli/commands/test_validate.py and of tests/scenarios/test_pipeline.py": (
        "plan.file_checks",
    ),
    "values, used by the tests of every room": ("core.event",),
    "results held against a commit, in tests/scenarios/test_verify.py": (
        *("audit.proof", "audit.verify", "report.verification"),
    ),
    "steps that run again in a copy, in tests/scenarios/test_audit.py": (
        *("audit.audit", "audit.causes", "audit.comparison", "audit.contents", "audit.places"),
        *("audit.rerun", "audit.scratch", "audit.scratch_tree", "audit.unseen"),
        *("audit.step_audit",),
        *("cli.commands.audit", "audit.steady.sitecustomize"),
    ),
    "long listings, in tests/repo/test_work_tree.py": (
        *("core.directory_listing", "repo.directories", "repo.digests", "repo.disk"),
    ),
    "a command, run as a program by the test of its name in tests/cli/commands": (
        *("cli.commands.cache", "cli.commands.logs", "cli.commands.metrics"),
        *("cli.commands.report", "cli.commands.show", "cli.commands.validate"),
    ),
    "a command, run as a program by tests/cli/commands/test_logs.py": ("cli.commands.runs",),
    "commands, run as programs by tests/scenarios/test_pipeline.py": (
        *("cli.commands.run", "cli.commands.plan"),
    ),
    "a command, run as a program by tests/scenarios/test_tracing.py": ("cli.commands.trace",),
    "options of all commands, by tests/cli/test_main.py through their parsers": ("cli.options",),
    "contents of sources, in tests/scenarios/test_sources.py": ("sources.fetched",),
    "commands, run as programs by tests/scenarios/test_remote.py": (
        *("cli.commands.cache_remote", "cli.commands.doctor"),
    ),
    "runs that share a cache, in tests/scenarios/test_remote.py": (
        *("cache.remote.maintenance", "cache.remote.shared_store", "cache.remote.uploads"),
    ),
    "runs with GitHub's cache, in tests/scenarios/test_remote.py and test_act_cache.py": (
        "cache.remote.actions_cache",
    ),
    "items that are gone, in tests/scenarios/test_each.py": ("cache.stale_outputs",),
    "reused results of whole runs, in tests/models/test_model.py": ("cache.decoded_results",),
    "the base of each event, in tests/ci/test_event.py and tests/scenarios/changes.md": (
        "repo.base_commit",
    ),
    "questions to git, in tests/repo/git/test_repository.py": ("repo.git.index",),
    "checkouts, in tests/scenarios/test_checkout.py": ("ci.checkout",),
    "metrics of the base, in tests/scenarios/test_base_metrics.py": (
        *("plan.baseline", "repo.commit_tree"),
    ),
    "faults of the server, in tests/ci/github/test_client.py": (
        *("ci.github.errors", "ci.github.http"),
    ),
    "output in GitHub Actions, in tests/scenarios/test_pipeline.py": ("ci.github.screen",),
    "output of whole runs, in tests/scenarios/test_pipeline.py": ("report.screens.plain",),
    "parts of the reports of tests/report/test_markdown.py": ("report.sections", "report.summary"),
    "printed by tests/cli/commands/test_explain.py": ("report.explain",),
    "printed by tests/cli/commands/test_show.py": ("report.lineage",),
    "printed by tests/cli/commands/test_metrics.py": ("report.metric_tables",),
    "whole runs against runs from scratch, in tests/models/test_model.py": (
        *("plan.evidence", "plan.inputs", "run.reuse", "run.save_result"),
    ),
    "steps of a fake executor, in tests/run/test_runner.py": (
        *("run.attempt", "run.job", "run.outcome"),
    ),
    "steps at the same time, in tests/scenarios/test_steps_at_once.py": (
        *("run.file_access", "run.running"),
    ),
    "real commands, in tests/run/executors/test_local.py": (
        *("run.executors.orphans", "run.executors.process"),
    ),
    "data from servers and shares, in tests/scenarios/test_sources.py": (
        *("run.fetch_inputs", "sources.fetch", "sources.http", "sources.local"),
        "sources.placement",
    ),
    "data in buckets, in tests/scenarios/test_sources_s3.py": ("sources.buckets",),
    "data of DVC, in tests/scenarios/test_dvc.py": ("sources.dvc",),
    "steps that declare nothing, in tests/scenarios/test_tracing.py and test_tracing_traps.py": (
        *("tracing.discovery.check", "tracing.discovery.find", "tracing.discovery.match"),
    ),
    "traced commands, in tests/tracing/test_tracers.py: it runs in a process of its own": (
        *("tracing.seccomp.child", "tracing.seccomp.dispatch", "tracing.seccomp.exec_calls"),
        *("tracing.seccomp.kernel", "tracing.seccomp.network_calls", "tracing.seccomp.open_calls"),
        *("tracing.seccomp.path_resolver",),
        *("tracing.seccomp.supervisor", "tracing.seccomp.syscalls", "tracing.seccomp.write_calls"),
    ),
    "traced commands, in tests/tracing/test_tracers.py": (
        *("tracing.seccomp.tracer", "tracing.strace.tracer"),
    ),
}
