"""The tags of django-vite that this page needs, on one screen: the names in Vite's manifest become URLs."""

import json

from django import template
from django.conf import settings
from django.utils.html import format_html, format_html_join

register = template.Library()


@register.simple_tag
def vite_asset_url(name):
    return settings.STATIC_URL + read_manifest()[name]["file"]


@register.simple_tag
def vite_asset(name):
    manifest = read_manifest()
    styles = dict.fromkeys(style for chunk in chunks_of(name, manifest, set()) for style in chunk.get("css", []))
    # Pages need `crossorigin` to load modules and fonts from the bucket's origin.
    return format_html(
        '{}<script type="module" crossorigin src="{}"></script>',
        format_html_join(
            "\n",
            '<link rel="stylesheet" crossorigin href="{}">',
            ([settings.STATIC_URL + style] for style in styles),
        ),
        settings.STATIC_URL + manifest[name]["file"],
    )


def chunks_of(name, manifest, seen):
    """A chunk after all that it imports, so that its own styles win."""
    seen.add(name)
    for imported in manifest[name].get("imports", []):
        if imported not in seen:
            yield from chunks_of(imported, manifest, seen)
    yield manifest[name]


def read_manifest():
    return json.loads((settings.FRONTEND_DIST / ".vite/manifest.json").read_text())
