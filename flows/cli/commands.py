"""The commands of `mien`: which flow or function each one is made from.

The line on a command stands here too, since `mien --help` loads no flow. It is the first line of the docstring, which
`tests/architecture/test_command_line.py` makes sure of.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One command."""

    target: str
    """`module:name` of a flow, or of a function that returns something with `lines` and `ok` as `FlowResult` has."""
    help: str
    group: str


PIPELINE = "From photos to faces"
SETS = "Sets and generated faces"
EXPERIMENTS = "Experiments"
TOOLS = "This machine"

GROUPS: dict[str, tuple[str, str]] = {
    "experiment": ("Measure what generated faces are worth to who trains with them.", SETS),
}
"""Commands that have commands of their own, whose names begin with theirs: (help, group)."""

COMMANDS: dict[str, Entry] = {
    "prepare": Entry(
        "mien.flows.prepare:prepare_faces", "Find, align and cache the faces of photos, as a named set.", PIPELINE
    ),
    "train": Entry(
        "mien.flows.train:train_generator",
        "Train a generator on prepared sets, measure it on held-out people and register it.",
        PIPELINE,
    ),
    "evaluate": Entry(
        "mien.flows.evaluate:evaluate_generator",
        "Measure a registered generator on the held-out people of a set.",
        PIPELINE,
    ),
    "promote": Entry(
        "mien.flows.cli.promote:promote_version",
        "Make a registered generator the champion, or go back to the champion before.",
        PIPELINE,
    ),
    "calibrate": Entry(
        "mien.flows.calibrate:calibrate_gate",
        "Measure what real photos reach, and keep it as the limits that generated faces are judged by.",
        PIPELINE,
    ),
    "augment": Entry(
        "mien.flows.augment:augment_faces",
        "Give the people of one set the expressions of another, with a registered generator.",
        PIPELINE,
    ),
    "nightly": Entry(
        "mien.flows.nightly:nightly",
        "Prepare what is new among the photos, then generate what the champion has not done yet.",
        PIPELINE,
    ),
    "transfer": Entry(
        "mien.flows.transfer:transfer_pair",
        "Give the person of one photo, or of several, the expression of another.",
        PIPELINE,
    ),
    "experiment recognition": Entry(
        "mien.flows.experiment_recognition:experiment_recognition",
        "Measure what generated faces bring to the recognition of people who are known by one photo.",
        EXPERIMENTS,
    ),
    "experiment verification": Entry(
        "mien.flows.experiment_verification:experiment_verification",
        "Measure how much harder expressive photos are to verify, with and without generated faces.",
        EXPERIMENTS,
    ),
    "experiment expression": Entry(
        "mien.flows.experiment_expression:experiment_expression",
        "Measure what generated faces bring to the recognition of labelled expressions.",
        EXPERIMENTS,
    ),
    "ls": Entry(
        "mien.flows.cli.browse:list_root",
        "List the sets of a root and their tables, with counts and fingerprints.",
        SETS,
    ),
    "show": Entry("mien.flows.cli.browse:show_rows", "Print rows of a table.", SETS),
    "report": Entry(
        "mien.flows.report:write_report",
        "Write a page on a prepared set: why faces were rejected, their measures, sheets of them.",
        SETS,
    ),
    "gallery": Entry(
        "mien.flows.gallery:write_gallery",
        "Write a page of generated faces beside their sources and drivers.",
        SETS,
    ),
    "verify": Entry(
        "mien.flows.verify:verify_set",
        "Check every manifest, shard, row and picture of a set; exit code 1 if anything is wrong.",
        SETS,
    ),
    "history": Entry(
        "mien.flows.cli.versions:show_history",
        "List the versions of a set: when each was made, from what, and its tables.",
        SETS,
    ),
    "rollback": Entry(
        "mien.flows.cli.versions:restore_version",
        "Go back to the tables of an older version of a set, as a new version.",
        SETS,
    ),
    "gc": Entry(
        "mien.flows.gc:collect_garbage",
        "Find the files of a root that no version of any set holds, and delete them if asked to.",
        SETS,
    ),
    "reproduce": Entry(
        "mien.flows.reproduce:reproduce_face",
        "Make a generated face again from its lineage and compare the bytes.",
        SETS,
    ),
    "export": Entry("mien.flows.export:export_faces", "Write a generated set in the form that a trainer reads.", SETS),
    "mark": Entry(
        "mien.flows.cli.mark:show_marks",
        "Say which marks pictures have: mien's, credentials, a watermark; exit code 1 if credentials do not hold.",
        SETS,
    ),
    "forget": Entry(
        "mien.flows.forget:forget_person",
        "Remove a person from everything that a root holds, with a receipt.",
        SETS,
    ),
    "demo": Entry(
        "mien.flows.cli.demo:run_demo",
        "Run the whole pipeline on the AT&T (ORL) faces; ends with a gallery of generated faces.",
        TOOLS,
    ),
    "deploy": Entry(
        "mien.flows.cli.deploy:deploy_flows",
        "Deploy the flows to a work pool: workers on any machine that has mien run them.",
        TOOLS,
    ),
    "doctor": Entry(
        "mien.flows.cli.doctor:diagnose",
        "Check what this machine has: libraries, weights, servers, root, disks; exit code 1 if something needed fails.",
        TOOLS,
    ),
    "settings": Entry(
        "mien.flows.cli.settings:show_settings", "Print the settings of training, limits and gate as TOML.", TOOLS
    ),
}
