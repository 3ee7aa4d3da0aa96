from django.core.mail import send_mail
from django.template.loader import render_to_string


def announce(product):
    send_mail(
        subject=f"New in the shop: {product}",
        message=render_to_string("shop/email.txt", {"product": product}),
        html_message=render_to_string("shop/email.html", {"product": product}),
        from_email="shop@example.com",
        recipient_list=["customers@example.com"],
    )
