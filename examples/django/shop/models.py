from django.core.validators import FileExtensionValidator
from django.db import models


class Product(models.Model):
    name = models.CharField(max_length=100)
    photo = models.FileField(
        upload_to="products",
        # No SVG: it may contain scripts.
        validators=[FileExtensionValidator(["avif", "gif", "jpeg", "jpg", "png", "webp"])],
    )

    def __str__(self):
        return self.name
