"""How the page looks: one dark blue, greys, and colour only where it means something."""

from collections.abc import Mapping

PRIMARY = "#12355B"
INK = "#1F2933"
MUTED = "#52606D"
LINE = "#D9DEE4"
BACKGROUND = "#F5F7FA"

# Text and background of a status; each pair has a contrast of at least 4.5 to 1.
STATUS_COLOURS: Mapping[str, tuple[str, str]] = {
    "proposed": ("#8A3A00", "#FDEBDD"),
    "approved": ("#0B5394", "#E1EFFA"),
    "started": ("#0B5394", "#E1EFFA"),
    "done": ("#1B6B45", "#E0F3EA"),
    "rejected": ("#52606D", "#EDF0F3"),
    "failed": ("#9B1C1C", "#FCE8E6"),
    "aborted": ("#9B1C1C", "#FCE8E6"),
    "excluded": ("#52606D", "#EDF0F3"),
}

THEME_CONFIG: Mapping[str, object] = {
    "palette": {
        "primary": {"main": PRIMARY},
        "text": {"primary": INK, "secondary": MUTED},
        "background": {"default": BACKGROUND, "paper": "#FFFFFF"},
    },
    "shape": {"borderRadius": 6},
    "typography": {
        "fontFamily": "Roboto, Helvetica, Arial, sans-serif",
        "fontSize": 13,
        "button": {"textTransform": "none"},
    },
}

_CHIPS = "\n".join(
    f".chip-{status} {{ color: {text}; background: {background}; }}"
    for status, (text, background) in STATUS_COLOURS.items()
)

STYLESHEET = f"""
:host {{ color: {INK}; font-family: Roboto, Helvetica, Arial, sans-serif; font-size: 14px;
        line-height: 1.45; }}
h1, h2, h3, p {{ margin: 0; }}
h1 {{ font-size: 24px; font-weight: 500; letter-spacing: -0.01em; }}
h2 {{ font-size: 17px; font-weight: 500; }}
h3 {{ font-size: 14px; font-weight: 500; }}
p {{ margin-top: 4px; }}
p.lead, .lead {{ color: {MUTED}; }}
p.finding {{ font-size: 14px; margin-top: 2px; }}
.chips {{ display: flex; flex-wrap: wrap; gap: 6px; align-items: center; }}
.chip {{ display: inline-block; border-radius: 10px; padding: 1px 9px; font-size: 12px;
        line-height: 18px; font-weight: 500; white-space: nowrap; }}
{_CHIPS}
.facts {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr));
         gap: 10px 28px; margin: 12px 0 0 0; }}
.facts dt {{ color: {MUTED}; font-size: 12px; }}
.facts dd {{ margin: 1px 0 0 0; }}
code {{ font-family: "Roboto Mono", Consolas, monospace; font-size: 12.5px; }}
.intact {{ color: #1B6B45; font-weight: 500; }}
.broken {{ color: #9B1C1C; font-weight: 500; }}
.brand {{ color: #FFFFFF; font-size: 20px; font-weight: 500; }}
.visually-hidden {{ position: absolute; width: 1px; height: 1px; overflow: hidden;
                   clip-path: inset(50%); white-space: nowrap; }}
"""

# The style of the table library comes later than this one and is as specific: hence "!important".
TABLE_STYLESHEET = f"""
.tabulator {{ font-size: 13px !important; border: none !important; background: #FFFFFF !important;
             font-variant-numeric: tabular-nums; }}
.tabulator .tabulator-header {{ background: #FFFFFF !important; color: {MUTED} !important;
    border-bottom: 1px solid {LINE} !important; font-size: 12px !important; }}
.tabulator .tabulator-header .tabulator-col {{ background: #FFFFFF !important;
    border-right: none !important; min-width: 40px; }}
.tabulator .tabulator-header .tabulator-col .tabulator-col-content {{
    padding: 4px 6px !important; }}
.tabulator .tabulator-col .tabulator-col-content .tabulator-col-title {{
    white-space: normal !important; font-weight: 500; padding-right: 0 !important; }}
.tabulator .tabulator-col .tabulator-col-sorter {{ display: none !important; }}
.tabulator .tabulator-col:hover .tabulator-col-sorter,
.tabulator .tabulator-col[aria-sort="ascending"] .tabulator-col-sorter,
.tabulator .tabulator-col[aria-sort="descending"] .tabulator-col-sorter {{
    display: flex !important; }}
.tabulator .tabulator-row {{ border-bottom: 1px solid #EEF1F4 !important;
    min-height: 28px !important; background: #FFFFFF !important; }}
.tabulator .tabulator-row .tabulator-cell {{ border-right: none !important;
    height: auto !important; padding: 6px !important; }}
.tabulator .tabulator-row:hover {{ background: {BACKGROUND} !important; }}
.tabulator .tabulator-frozen.tabulator-frozen-left {{ border-right: none !important; }}
.tabulator .tabulator-footer {{ background: #FFFFFF !important; border-top: 1px solid {LINE}; }}
.chip {{ display: inline-block; border-radius: 10px; padding: 0 9px; font-size: 12px;
        line-height: 18px; font-weight: 500; }}
{_CHIPS}
"""
