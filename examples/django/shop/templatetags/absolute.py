from urllib.parse import urljoin

from django import template
from django.conf import settings

register = template.Library()


@register.filter
def absolute(url):
    """A URL for e-mails and feeds. The bucket's URLs are absolute already."""
    return urljoin(settings.SITE_URL, url)
