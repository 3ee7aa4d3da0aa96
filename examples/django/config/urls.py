from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import path
from django.views.generic import RedirectView

from shop.views import ShopView

urlpatterns = [
    path("", ShopView.as_view(), name="shop"),
    path("admin/", admin.site.urls),
    # The admin's pages name no icon, and browsers then look here.
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}favicon.svg")),
    # Only with DEBUG, and only if MEDIA_URL is a path.
    *static(settings.MEDIA_URL, document_root=getattr(settings, "MEDIA_ROOT", None)),
]
