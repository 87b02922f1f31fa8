"""The pages: a web application in the browser, of static files and the same API that everybody uses.

Admission rule: what serves pages. What pages show comes from the routes of the other areas. See docs/design/pages.md.
"""
