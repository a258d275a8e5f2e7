"""The verdict on top of the page: what is wrong, how sure that is, how it shows, what mends it, what to do now."""

from __future__ import annotations

import re
import shlex

from dcgan.recipe import FIELDS
from dcgan.report.journal import Record
from dcgan.report.judged import Diagnosis, Judged
from dcgan.report.score_curves import newest
from dcgan.report.words import count, shell, text
from dcgan.training.folder import command

SETTING = re.compile(r"([a-z][a-z0-9_]*)=([A-Za-z0-9.+-]{1,40})")
"""A setting that may stand in a command to paste: no other text of a file ever does."""


def verdict(record: Record, judged: Judged) -> str:
    """The doctor's word as HTML: one card a finding, or that nothing was found, or how to ask."""
    found = judged.findings
    doctor = shell(command("doctor", record.folder))
    measured = newest(record)
    numbers = f'<p class="muted">{measured}</p>' if measured else ""
    cards = "".join(_card(one, record) for one in found)
    if judged.diagnoses:
        told = cards + numbers
    elif judged.diagnoses is not None:
        checked = ", ".join(text(name, 80) for name in judged.checked)
        looked = f"Checked: {checked}." if checked else "A doctor has looked at this run."
        open_ = "".join(f"<li>{text(sentence)}</li>" for sentence in judged.unchecked)
        rest = f'<p>Could not be checked:</p><ul class="plain">{open_}</ul>' if open_ else ""
        head = (
            f"<h3>No verdict yet</h3><p>{text(judged.early)}</p>"
            if judged.early
            else "<h3>Nothing wrong found</h3>"
        )
        mood = "" if judged.early else " well"
        told = f'<div class="card{mood}">{head}<p>{looked}</p>{rest}{numbers}</div>'
        told += f"<h3>Said during the training, and no longer</h3>{cards}" if cards else ""
    elif found:
        told = f"{cards}{numbers}<p>Seen by the check-ups during training. To have the whole run looked at:</p>{doctor}"
    else:
        ask = f"<p>No doctor has looked at this run yet. To ask for one:</p>{doctor}"
        told = f'<div class="card">{ask}{numbers}</div>'
    return f'<section id="verdict"><h2>Verdict</h2>{told}</section>'


def in_a_word(judged: Judged) -> str:
    """The verdict as plain text for a table: findings, "nothing wrong found" or "not looked at"."""
    found = judged.findings
    if judged.diagnoses is not None and not judged.diagnoses:
        return "too early to tell" if judged.early else "nothing wrong found"
    return ", ".join(one.finding[:60] for one in found) if found else "not looked at"


def _card(one: Diagnosis, record: Record) -> str:
    told = []
    if one.sure is not None:
        told.append(f"{100 * one.sure:.0f} % sure")
    if one.since is not None and abs(one.since) < 1e15:
        images = record.images_at(one.since)
        told.append(
            f"since step {count(one.since)}" + (f" ({count(images)} images)" if images is not None else "")
        )
    sure = f'<span class="sure">{" · ".join(told)}</span>' if told else ""
    return (
        f'<div class="card ill"><h3>{text(one.finding, 120)} {sure}</h3>'
        + (f"<p>{text(one.evidence, 1000)}</p>" if one.evidence else "")
        + (f"<p>What to do now: <strong>{text(one.now)}</strong>.</p>" if one.now else "")
        + (f"<p>{text(one.advice, 1000)}</p>" if one.advice else "")
        + _mend(one.mend, record)
        + _mend(one.anew, record)
        + "</div>"
    )


def _mend(mend: list[str], record: Record) -> str:
    """The settings that usually help, as a command; what is not a setting of ours stays prose."""
    settings, advice = [], []
    for entry in mend:
        match = SETTING.fullmatch(entry.strip())
        if match and match[1] in FIELDS:
            settings.append(match[0])
        else:
            advice.append(entry)
    told = "".join(f"<li>{text(entry)}</li>" for entry in advice)
    prose = f'<p>What usually mends it:</p><ul class="plain">{told}</ul>' if told else ""
    if not settings:
        return prose
    options = " ".join(f"--set {setting}" for setting in settings)
    built = [setting for setting in settings if FIELDS[setting.partition("=")[0]].metadata["architecture"]]
    if not built:
        scored = any("frechet" in event for event in record.of("score"))
        start, how = ("best", "from its best checkpoint") if scored else ("last", "from here on")
        line = f"{command('resume', record.folder)} --from {start} {options}"
    else:
        line, how = f"dcgan train {_source(record)} {options}", "in a new run, as the networks change"
    head = "And, in settings" if told else "What usually mends it"
    return f"{prose}<p>{head}, {how}:</p>{shell(line)}"


def _source(record: Record) -> str:
    """The data and the preset of a run as arguments of `dcgan train`."""
    known = (record.data.get(key) for key in ("path", "source", "name"))
    source = next((word for word in known if isinstance(word, str) and word and word.isprintable()), "DATA")
    preset = record.recipe.get("preset")
    chosen = f" --preset {shlex.quote(preset)}" if isinstance(preset, str) and preset.isprintable() else ""
    return shlex.quote(source if not source.startswith("-") else f"./{source}") + chosen
