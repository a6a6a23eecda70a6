"""The dashboard: pages that the scoring service renders, for people; they need no script.

routes.py       where each page answers, and what a refusal looks like
page.py         renders a template: words of figures, addresses
*_page.py       what stands on each page, from at most five queries of the store
treemap.py, strip.py, trend.py   pictures, as SVG without style or script
publishing.py   scores what the store has and no page could show yet
"""
