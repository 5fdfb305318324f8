#!/usr/bin/python3
"""Django on mysqlclient: a migration there and back, the ORM, inspectdb."""

import io

import django
from django.conf import settings
from django.core.management import call_command

from look import CA, DATABASE, EMOJI, HOST, PASSWORD, PORT, USER, error, feature, main, see

settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"], DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.mysql", "NAME": DATABASE, "USER": USER, "PASSWORD": PASSWORD, "HOST": HOST, "PORT": PORT,
                           "OPTIONS": {"charset": "utf8mb4", **({"ssl": {"ca": CA}} if CA else {})}}},
)  # fmt: skip
django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402
from django.db import connection, transaction  # noqa: E402


def told(*words, **more):
    out = io.StringIO()
    call_command(*words, stdout=out, no_color=True, **more)
    return out.getvalue()


@feature
def migrate():
    see(told("migrate", verbosity=1))
    for i in range(20):
        User.objects.create(username=f"user {i}", first_name=EMOJI[:20])
    see(User.objects.bulk_create([User(username=f"bulk {i}") for i in range(300)])[0].username)
    with transaction.atomic():
        with error():
            with transaction.atomic():
                User.objects.create(username="user 1")
        Group.objects.create(name=EMOJI)
    see(list(Group.objects.values_list()), User.objects.filter(username__startswith="bulk").update(last_name="x"))
    see(len([u for u in User.objects.order_by("id").iterator(chunk_size=50)]), User.objects.get_or_create(username="user 3")[1])
    see(list(User.objects.select_for_update().none()), told("showmigrations"), told("inspectdb", "auth_user", "auth_group"))
    connection.close()
    see(told("migrate", "auth", "zero", verbosity=0), told("migrate", "contenttypes", "zero", verbosity=0))
    with connection.cursor() as cursor:
        cursor.execute("drop table django_migrations")


main(f"Django {django.get_version()}")
