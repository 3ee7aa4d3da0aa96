from django.urls import reverse_lazy
from django.views.generic import CreateView

from shop.emails import announce
from shop.models import Product


class ShopView(CreateView):
    """All products, and a form for one more."""

    model = Product
    fields = ["name", "photo"]
    template_name = "shop/shop.html"
    success_url = reverse_lazy("shop")

    def get_context_data(self, **context):
        return super().get_context_data(products=Product.objects.order_by("-pk"), **context)

    def form_valid(self, form):
        response = super().form_valid(form)
        announce(self.object)
        return response
