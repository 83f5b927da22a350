"""A table of recommended runs, each with its reason and the buttons to decide on it."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import param
from panel.custom import JSComponent

from dashboards import theme
from dashboards.tables import BatchTable

# A real table with real buttons: it is read aloud row by row, and reached with the tab key. Each
# button sends the identifier of its own run; no row number, no selection that could have moved.
_SCRIPT = """
export function render({ model }) {
  const root = document.createElement("div")
  root.className = "frame"
  const element = (name, text, className) => {
    const made = document.createElement(name)
    if (text !== undefined) made.textContent = text
    if (className) made.className = className
    return made
  }
  const button = (row, act) => {
    const made = element("button", act === "approve" ? "Approve" : "Reject", act)
    made.type = "button"
    made.disabled = model.locked
    made.setAttribute("aria-label", `${made.textContent} run ${row.run}`)
    made.addEventListener("click", () => model.send_msg({ run: row.run, act: act }))
    return made
  }
  const draw = () => {
    const table = element("table")
    table.append(element("caption", model.caption, "visually-hidden"))
    const head = element("tr")
    for (const title of ["Run", "Status", ...model.columns.map((c) => c.title), "Decision"]) {
      const cell = element("th", title)
      cell.scope = "col"
      head.append(cell)
    }
    model.columns.forEach((c, i) => { if (c.numeric) head.children[i + 2].className = "number" })
    const top = element("thead")
    top.append(head)
    table.append(top)
    for (const row of model.rows) {
      const body = element("tbody")
      body.dataset.run = row.run
      const cells = element("tr")
      const name = element("th", row.run)
      name.scope = "row"
      const status = element("td")
      status.append(element("span", row.status, `chip chip-${row.status}`))
      cells.append(name, status)
      for (const c of model.columns) {
        cells.append(element("td", row.cells[c.name], c.numeric ? "number" : ""))
      }
      const decision = element("td", undefined, "decision")
      for (const act of row.acts) decision.append(button(row, act))
      cells.append(decision)
      const why = element("tr", undefined, "why")
      const sentence = element("td", row.reason)
      sentence.colSpan = model.columns.length
      decision.rowSpan = 2
      why.append(element("td"), element("td", row.tag, "tag"), sentence)
      body.append(cells, why)
      table.append(body)
    }
    root.replaceChildren(table)
  }
  draw()
  for (const name of ["rows", "columns", "locked", "caption"]) model.on(name, draw)
  return root
}
"""

_STYLESHEET = f"""
:host {{ display: block; overflow-x: auto; }}
.frame {{ overflow-x: auto; max-height: 560px; }}
table {{ border-collapse: collapse; width: 100%; font-size: 13px;
        font-variant-numeric: tabular-nums; }}
thead th {{ position: sticky; top: 0; background: #FFFFFF; color: {theme.MUTED};
           font-weight: 500; vertical-align: bottom; border-bottom: 1px solid {theme.LINE}; }}
th, td {{ text-align: left; padding: 6px 12px 6px 0; }}
th.number, td.number {{ text-align: right; }}
thead th {{ max-width: 130px; }}
tbody th {{ font-weight: 500; }}
tbody {{ border-bottom: 1px solid #EEF1F4; }}
tr.why td {{ vertical-align: top; }}
tr.why td.tag {{ padding-left: 9px; }}
tr.why td {{ color: {theme.MUTED}; padding-top: 0; padding-bottom: 10px; }}
td.decision {{ position: sticky; right: 0; background: #FFFFFF; white-space: nowrap;
              text-align: right; vertical-align: middle; padding: 0 0 0 8px; }}
thead th:last-child {{ text-align: right; padding-right: 0; right: 0; z-index: 1; }}
button {{ font: inherit; font-weight: 500; border-radius: 6px; padding: 4px 12px; margin-left: 6px;
         cursor: pointer; border: 1px solid {theme.PRIMARY}; }}
button.approve {{ background: {theme.PRIMARY}; color: #FFFFFF; }}
button.reject {{ background: #FFFFFF; color: {theme.PRIMARY}; }}
button:focus-visible {{ outline: 3px solid #56B4E9; outline-offset: 1px; }}
button:disabled {{ opacity: 0.45; cursor: default; }}
"""


class DecisionTable(JSComponent):
    """Recommended runs with the buttons to approve or reject each.

    Args:
        decide: Called with the identifier of a run and ``approve`` or ``reject``.
    """

    columns = param.List(default=[], doc="Name, title and alignment of each column.")
    rows = param.List(default=[], doc="Run, status, cells, tag, reason and acts of each row.")
    locked = param.Boolean(default=False, doc="Whether nothing can be decided now.")
    caption = param.String(default="", doc="What the table holds, for those who hear it.")

    _esm = _SCRIPT
    _stylesheets: ClassVar[list[str]] = [theme.STYLESHEET, _STYLESHEET]

    def __init__(self, decide: Callable[[str, str], None], **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]  # param's have no types
        self._decide = decide

    def present(self, table: BatchTable) -> None:
        """Show a batch in place of the one before."""
        self.param.update(
            columns=[
                {"name": c.name, "title": c.title, "numeric": c.name != "nearest"}
                for c in table.columns
            ],
            rows=[
                {
                    "run": row.run,
                    "status": row.status,
                    "cells": dict(row.cells),
                    "tag": row.tag,
                    "reason": row.reason,
                    "acts": list(row.acts),
                }
                for row in table.rows
            ],
            caption=f"Batch {table.number}: recommended runs, their predictions and reasons",
        )

    def _handle_msg(self, data: Mapping[str, str]) -> None:
        # What comes from a browser is checked like any other input.
        offered = {(row["run"], act) for row in self.rows for act in row["acts"]}
        if not self.locked and (data.get("run"), data.get("act")) in offered:
            self._decide(data["run"], data["act"])
