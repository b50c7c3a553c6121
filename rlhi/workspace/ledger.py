"""The one writer of versions: DVC for data, git for the record, GTO for the model registry.

Stages write files; only this module adds, commits and tags. All of it happens under one lock, for parallel
``dvc add`` and ``git commit`` in one clone take each other's files. A cycle is one git commit whose trailers say
what happened; what a killed process left undone after it (tags) is done by whoever comes next.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import yaml

from rlhi.config import load_params
from rlhi.contracts import PeopleTally, Spending, to_record
from rlhi.workspace.cycles import CyclePin, CycleRecord, finished, history, pinned, today
from rlhi.workspace.repository import LedgerError, alone, commits, dvc, git, gto, number, prepare, tags
from rlhi.workspace.store import read_json, write_json

__all__ = [
    "CyclePin", "CycleRecord", "LedgerError", "begin", "champion", "history", "init", "next_version", "pinned",
    "policy_path", "record", "record_collect", "rollback", "spendings", "template", "today", "under_way", "upcoming",
]  # fmt: skip

FIRST_VERSION = "v0.1.0"
TRACKED = (
    "data/incoming", "data/persona_edits", "data/samples", "data/people", "data/simulator", "models/policy", "reports",
)  # fmt: skip
"""Folders that no stage makes whole: versioned as they are."""
_RECORDED = (
    ".dvc", ".dvcignore", ".gitignore", "dvc.yaml", "dvc.lock", "params.yaml", "prefect.yaml", "cycle.json", "metrics",
    "reports.dvc", "data/*.dvc", "data/.gitignore", "models/*.dvc", "models/.gitignore",
)  # fmt: skip
_CARRIED = {
    "data/incoming": "Logs as they came, named by their hash; batches.json says what they were called.\n",
    "data/persona_edits": "What people edited of personas, edits.json; it beats what is inferred.\n",
    "data/people": "answers.jsonl: whose reply people preferred, one answer a line; `rlhi compare` adds to it.\n",
    "data/samples": "Text that models were asked for, a file for every block: a rebuilt table reads it from here.\n",
    "data/simulator": "Simulated users' hidden wishes and the evaluation requests; only `evaluate` opens them.\n",
    "reports": "index.html is the evidence page. It shows users' words: DVC keeps it, git does not.\n",
}


def template(name: str) -> str:
    """The text of an original (``dvc.yaml``, ``params.yaml``, ``prefect.yaml``, ``deepspeed/zero2.json``).

    A wheel carries them in ``rlhi/templates``; in a checkout they are the files at its top and in ``infra``.
    """
    shipped = files("rlhi").joinpath("templates", *name.split("/"))
    if shipped.is_file():
        return shipped.read_text(encoding="utf-8")
    top = Path(__file__).resolve().parents[2]
    for place in (top / name, top / "infra" / name):
        if place.is_file():
            return place.read_text(encoding="utf-8")
    raise LedgerError(f"the template {name} is missing from this installation: install rlhi again")


def init(root: Path, policy: Path) -> bool:
    """Make a workspace with ``policy`` as its first champion; False when it is one already.

    Raises:
        LedgerError: the folder holds something else.
    """
    if (root / ".dvc").is_dir() and (root / ".git").is_dir() and tags(root, "policy#champion#*"):
        return False
    strange = [path.name for path in root.iterdir()] if root.is_dir() else []
    if strange and not (root / ".rlhi").is_dir():
        raise LedgerError(f"{root} is not empty and no workspace: choose another folder")
    (root / ".rlhi").mkdir(parents=True, exist_ok=True)
    with alone(root):
        if not (root / ".git").is_dir():
            git(root, "init", "--quiet", "--initial-branch=main")
        prepare(root)
        if not (root / ".dvc" / "config").is_file():
            dvc(root, "init", "--quiet", "--force")
            dvc(root, "config", "core.analytics", "false")
            # What is being written is no version, and a log half copied there least of all.
            (root / ".dvcignore").write_text(".*.tmp\n", encoding="utf-8")
        for name in ("dvc.yaml", "params.yaml", "prefect.yaml"):
            if not (root / name).exists():
                (root / name).write_text(template(name), encoding="utf-8")
        for folder, text in _CARRIED.items():
            (root / folder).mkdir(parents=True, exist_ok=True)
            (root / folder / "README.md").write_text(text, encoding="utf-8")
        _install_policy(root, policy, FIRST_VERSION)
        dvc(root, "add", *TRACKED)
        _commit(root, "Make the workspace", {"RLHI-Champion": FIRST_VERSION})
    _repair(root)
    return True


def champion(root: Path) -> str:
    """The version in production.

    Raises:
        LedgerError: no champion was ever assigned.
    """
    assigned = sorted(tags(root, "policy#champion#*"), key=lambda tag: int(tag.rsplit("#", 1)[1]))
    versions = git(root, "tag", "--points-at", assigned[-1] + "^{}", "--list", "policy@*").split() if assigned else []
    if not versions:
        raise LedgerError(f"{root} has no champion: make the workspace with `rlhi init`")
    return max(versions, key=number).removeprefix("policy@")


def policy_path(root: Path, version: str) -> Path:
    """The folder of a policy's version, fetched from DVC's cache or remote when it is not at hand."""
    folder = root / ".rlhi" / "policies" / version
    if not folder.is_dir():
        partial = folder.with_name(f".{version}.{os.getpid()}")
        shutil.rmtree(partial, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        dvc(root, "get", "--quiet", ".", "models/policy", "--rev", f"policy@{version}", "--out", str(partial))
        partial.rename(folder)
    return folder


def upcoming(root: Path) -> int:
    """The number of the cycle under way, else of the next."""
    return finished(root) + 1


def under_way(root: Path) -> bool:
    """True when a cycle has begun and is not recorded yet."""
    return int(str(read_json(root / "cycle.json").get("cycle", 0))) > finished(root)


def begin(root: Path, compared: PeopleTally | None = None) -> CyclePin:
    """Pin a new cycle to the champion, or go on with the one that is not finished; the first one pins the split, too.

    A cycle whose champion was rolled back meanwhile begins anew, from the present one. ``compared`` is what people said
    of the last challenger, where a new cycle decides on that.
    """
    _repair(root)
    cycle, now = upcoming(root), champion(root)
    if under_way(root) and (held := pinned(root)).cycle == cycle and held.champion == now:
        return held
    held_fast = read_json(root / "cycle.json")
    fixed, given = held_fast.get("split"), load_params(root / "params.yaml").fixed_by(held_fast).split_by
    split = given | fixed if isinstance(fixed, dict) else given
    decisions = [to_record(one) for one in spendings(root)]
    pin = {"cycle": cycle, "champion": now, "split": split, "day": today(), "decisions": decisions}
    told = {"compared": to_record(compared)} if compared else {}
    write_json(root / "cycle.json", pin | told)
    return pinned(root)


def spendings(root: Path) -> tuple[Spending, ...]:
    """Every decision of a finished cycle, oldest first."""
    return tuple(one.decided for one in reversed(history(root)) if one.decided)


def record_collect(root: Path, stages: Sequence[str]) -> str | None:
    """Commit what ``stages`` brought in between cycles; the revision, None when nothing changed."""
    with alone(root):
        known = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
        # A workspace of an earlier version may name fewer stages: what they made is still recorded.
        named = [name for name in stages if name in known]
        dvc(root, "commit", "--force", *named, *(f"{name}.dvc" for name in TRACKED[:3]))
        return _commit(root, "Collect", {"RLHI-Collect": "yes"})


def record(
    root: Path, verdict: str, reasons: Sequence[str], card: str = "", spent: float | None = None
) -> CycleRecord:  # fmt: skip
    """Finish the cycle under way: one commit of its data, metrics and verdict; a promotion also moves the champion.

    ``card`` is the model card of the version that a promotion makes, in place of the challenger's. ``spent`` is the
    level of the decision that was taken, None where none was.

    Raises:
        LedgerError: another version became champion since the challenger was measured.
    """
    pin = pinned(root)
    with alone(root):
        if finished(root) < pin.cycle:
            promoting, now = root / ".rlhi" / "promoting", champion(root)
            if verdict == "promote" and now != pin.champion:
                raise LedgerError(
                    f"the challenger was measured against policy@{pin.champion}, and policy@{now} is champion since: "
                    "run `rlhi cycle` again, it begins anew"
                )
            version = next_version(root) if verdict == "promote" else now
            if verdict == "promote":
                promoting.touch()
                _install_policy(root, root / "models" / "challenger", version, card)
            elif promoting.exists():
                # Killed half way through a promotion that is refused now: back to the champion's files.
                _install_policy(root, policy_path(root, now), now)
            dvc(root, "add", *(name for name in TRACKED if (root / name).is_dir()))
            dvc(root, "commit", "--force")
            trailers = {"RLHI-Cycle": str(pin.cycle), "RLHI-Verdict": verdict, "RLHI-From": pin.champion}
            trailers |= {"RLHI-Champion": version} if verdict == "promote" else {}
            trailers |= {} if spent is None else {"RLHI-Decided": f"{pin.day} {spent!r}"}
            what = f"promote policy@{version}" if verdict == "promote" else verdict
            title = f"Cycle {pin.cycle}: {what}{'' if spent is None else ', decided'}"
            _commit(root, title, trailers, "\n".join(f"- {reason}" for reason in reasons))
            promoting.unlink(missing_ok=True)
    _repair(root)
    for folder in (root / ".rlhi" / "policies").glob("v*"):
        if folder.name not in (pin.champion, champion(root)):
            shutil.rmtree(folder)  # a version that is wanted again comes back from DVC
    return history(root)[0]


def rollback(root: Path, version: str | None = None) -> str:
    """Make a former version champion again: the given one, or the one before the present; the history stays."""
    _repair(root)
    known, now = sorted(tags(root, "policy@*"), key=number), champion(root)
    older = [tag.removeprefix("policy@") for tag in known if number(tag) < number(now)]
    target = version or (older[-1] if older else "")
    if f"policy@{target}" not in known:
        listed = ", ".join(tag.removeprefix("policy@") for tag in known)
        raise LedgerError(f"no version {target or 'before ' + now} to go back to; there are {listed}")
    if target != now:
        former = policy_path(root, target)
        with alone(root):
            _install_policy(root, former, target)
            dvc(root, "add", "models/policy")
            _commit(root, f"Roll back to policy@{target}", {"RLHI-Rollback": target})
            # Last: until the tag moves, whoever comes after a kill rolls back again.
            gto(root, "assign", "policy", "--version", target, "--stage", "champion", "--force")
    return target


def _repair(root: Path) -> None:
    """Write the tags that a commit announces and that a killed process did not come to write."""
    with alone(root):
        have = set(tags(root, "policy@*"))
        for revision, _, trailers in reversed(list(commits(root))):
            if (version := trailers.get("RLHI-Champion")) is None:
                continue
            if f"policy@{version}" not in have:
                gto(root, "register", "policy", revision, "--version", version)
            if not git(root, "tag", "--points-at", revision, "--list", "policy#champion#*"):
                gto(root, "assign", "policy", "--version", version, "--stage", "champion")


def _install_policy(root: Path, source: Path, version: str, card: str = "") -> None:
    """Put a model under ``.rlhi/policies`` (what runs) and ``models/policy`` (what DVC versions), each in one move."""
    for target in (root / ".rlhi" / "policies" / version, root / "models" / "policy"):
        fresh, old = target.with_name(f".{target.name}.new"), target.with_name(f".{target.name}.old")
        for folder in (fresh, old):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, fresh)
        if card:
            (fresh / "README.md").write_text(card, encoding="utf-8")
        if target.exists():
            target.rename(old)
        fresh.rename(target)
        shutil.rmtree(old, ignore_errors=True)


def next_version(root: Path) -> str:
    """What the next promotion will be called."""
    major, minor, _ = max(map(number, tags(root, "policy@*")))
    return f"v{major}.{minor + 1}.0"


def _commit(root: Path, title: str, trailers: Mapping[str, str], body: str = "") -> str | None:
    # Named one by one: somebody's log in the folder holds people's words, and git never forgets.
    paths = [name for name in _RECORDED if any(root.glob(name))]
    git(root, "add", "--all", "--", *paths)
    if not git(root, "diff", "--cached", "--name-only") and "RLHI-Cycle" not in trailers:
        return None
    foot = "\n".join(f"{name}: {value}" for name, value in trailers.items())
    message = "\n\n".join(part for part in (title, body, foot) if part)
    git(root, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(root, "rev-parse", "HEAD")
