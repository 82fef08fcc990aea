"""The look of the report's page: on a screen of any width, and on paper."""

# The colours of standard_code/python/_pixels/palette.py, with which the pictures are drawn.
OLD, NEW, BOTH, SPLIT, MERGED = "#f0e442", "#56b4e9", "#ffffff", "#0072b2", "#d55e00"

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, "Segoe UI", sans-serif; color: #1d2330; overflow-wrap: anywhere; }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .25rem; }
h3 { font-size: 1rem; margin: 0; } p { margin: .4rem 0; } .files, .remark { color: #555d6e; }
.remark { font-size: 13px; } a { color: #00598c; }
.verdict { padding: .8rem 1rem; border-left: .4rem solid; margin: 1rem 0; background: #f5f6f8; }
.verdict h2 { margin: 0; font-size: 1.1rem; } .verdict .sentence { font-size: 1.1rem; }
.verdict.good { border-color: #0072b2; } .verdict.bad { border-color: #d55e00; }
table { border-collapse: collapse; margin: .6rem 0; width: 100%; font-size: 14px; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #d9dce3; text-align: left; vertical-align: top; }
th { font-weight: 600; background: #f5f6f8; overflow-wrap: normal; }
td.number { overflow-wrap: normal; } .number { text-align: right; font-variant-numeric: tabular-nums; }
table.checks { width: auto; min-width: 60%; }
.mark { font-weight: 600; white-space: nowrap; } .mark.bad { color: #b34700; } .mark.good { color: #00598c; }
.pair { border: 1px solid #d9dce3; border-radius: .3rem; padding: .7rem 1rem; margin: .8rem 0; }
.pictures { display: flex; flex-wrap: wrap; gap: .8rem; margin: .6rem 0 .2rem; align-items: flex-start; }
figure { margin: 0; flex: 0 1 12.5rem; } figure a { display: block; cursor: zoom-in; }
figure img { width: 100%; height: auto; display: block; background: #fff; }
figcaption { font-size: 12px; line-height: 1.35; color: #555d6e; margin-top: .2rem; }
figcaption .back { display: none; }
figure:target { position: fixed; inset: 0; z-index: 1; background: #fff; padding: .8rem; }
figure:target { display: flex; flex-direction: column; }
figure:target > a { flex: 1; min-height: 0; cursor: default; }
figure:target img { width: 100%; height: 100%; object-fit: contain; }
figure:target figcaption { font-size: 15px; } figure:target .back { display: inline; margin-left: 1rem; }
.colours { font-size: 13px; color: #555d6e; } .colours span { white-space: nowrap; margin-right: .9rem; }
.colours i, .swatch { display: inline-block; width: .8em; height: .8em; border: 1px solid #555d6e; margin-right: .3em; }
.colours i, .swatch { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
dl { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: .2rem 1rem; font-size: 14px; }
dt { font-weight: 600; } dd { margin: 0; }
details { margin: .4rem 0; } summary { cursor: pointer; color: #00598c; }
pre { font-size: 12px; white-space: pre-wrap; }
@media (max-width: 40rem) {
  body { padding: .8rem; } th, td { padding: .25rem .35rem; } table { font-size: 13px; }
  .pair { padding: .5rem .6rem; } table.checks { width: 100%; } figure { flex-basis: calc(50% - .4rem); }
  dl { display: block; } dd { margin: 0 0 .4rem; }
  .overview thead { display: none; }
  .overview tr { display: block; border-bottom: 1px solid #d9dce3; padding: .4rem 0; }
  .overview td { display: inline; border: 0; padding: 0; } .overview td:nth-child(3) { display: block; }
  .overview .mark { margin-left: .6rem; }
  .overview .number::before { content: attr(data-name) " "; color: #555d6e; }
  .overview .number { margin-right: .9rem; text-align: left; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 11px; } table, dl { font-size: 10px; } .pair { border-color: #999; }
  tr, figure, h3 { break-inside: avoid; } h2, h3 { break-after: avoid; } figure { flex-basis: 8rem; }
  .verdict, th { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  figure:target { position: static; display: block; padding: 0; } figure:target .back { display: none; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
"""
