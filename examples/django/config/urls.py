from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import path

from shop.views import ShopView

urlpatterns = [
    path("", ShopView.as_view(), name="shop"),
    path("admin/", admin.site.urls),
    # Only with DEBUG, and only if MEDIA_URL is a path.
    *static(settings.MEDIA_URL, document_root=getattr(settings, "MEDIA_ROOT", None)),
]
