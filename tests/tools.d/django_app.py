#!/usr/bin/python3
"""A Django project's days: migrations there and back, the ORM's ways to use a connection, and management commands that read and
write whole databases. A program for tools.py: prints what it sees; its database is that of PGHOST and so on, its
folder the current one."""

import io
import os
import sys

MODELS = '''
from django.db import models
from django.contrib.postgres.fields import ArrayField

class Shelf(models.Model):
    label = models.CharField(max_length=20, unique=True)
    class Meta:
        constraints = [models.CheckConstraint(check=~models.Q(label=""), name="shelf_has_label")]

class Item(models.Model):
    name = models.CharField(max_length=40, db_index=True)
    shelf = models.ForeignKey(Shelf, models.CASCADE, null=True)
    doc = models.JSONField(default=dict)
    tags = ArrayField(models.TextField(), default=list)
    at = models.DateTimeField()
    size = models.{size}
'''
# The second version: a field goes, one comes, a type and an index change.
SECOND = "    colour = models.TextField(default='red')\n    class Meta:\n        indexes = [models.Index(fields=['shelf', '-at'], name='item_by_time')]\n"


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def set_up(models):
    write("store/__init__.py", "")
    write("store/models.py", models)
    sys.path.insert(0, os.getcwd())
    import django
    from django.conf import settings

    e = os.environ
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql", "NAME": e["PGDATABASE"], "USER": e["PGUSER"], "PASSWORD": e["PGPASSWORD"],
                "HOST": e["PGHOST"], "PORT": e["PGPORT"], "CONN_MAX_AGE": 60, "OPTIONS": {"isolation_level": 2},
            },
            "tokyo": {
                "ENGINE": "django.db.backends.postgresql", "NAME": e["PGDATABASE"], "USER": e["PGUSER"], "PASSWORD": e["PGPASSWORD"],
                "HOST": e["PGHOST"], "PORT": e["PGPORT"], "TIME_ZONE": "Asia/Tokyo",
            },
        },
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "store"], USE_TZ=True, TIME_ZONE="Europe/Berlin",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", SECRET_KEY="x",
        CACHES={"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cached"}},
    )  # fmt: skip
    django.setup()


def command(name, *args, **options):
    from django.core.management import call_command

    out = io.StringIO()
    print(f"-- {name} {args}")
    try:
        call_command(name, *args, stdout=out, stderr=out, no_color=True, **options)
    except Exception as e:
        print(f"{type(e).__name__}: {e}")
    print(out.getvalue())


def use():
    from datetime import datetime, timezone

    from django.core.cache import cache
    from django.db import DatabaseError, IntegrityError, connection, connections, models, transaction
    from store.models import Item, Shelf

    at = datetime(2026, 3, 29, 0, 30, tzinfo=timezone.utc)
    shelves = [Shelf.objects.create(label=f"shelf {i}") for i in range(3)]
    Item.objects.bulk_create([Item(name=f"item {i}", shelf=shelves[i % 3], doc={"n": i}, tags=[f"t{i}"], at=at, size=i) for i in range(300)])
    with transaction.atomic():
        Item.objects.filter(name="item 1").update(size=models.F("size") + 10)
        try:
            with transaction.atomic():
                Shelf.objects.create(label="shelf 1")
        except IntegrityError as e:
            print(str(e).splitlines()[0])
        transaction.on_commit(lambda: print("committed"))
        print(list(Item.objects.select_for_update(skip_locked=True).filter(size__lt=3).order_by("id").values_list("name", flat=True)))
    try:
        with transaction.atomic():
            Item.objects.all().delete()
            raise DatabaseError("no")
    except DatabaseError:
        print(Item.objects.count(), Item.objects.filter(doc__n__gt=290).aggregate(models.Sum("size"), models.Avg("size")))
    # A cursor of the server's, WITH HOLD outside a transaction, and others in between.
    total = 0
    for item in Item.objects.order_by("id").iterator(chunk_size=50):
        total += item.size + Shelf.objects.filter(pk=item.shelf_id).count()
    print("iterated", total)
    with transaction.atomic():
        print(sum(1 for _ in Item.objects.filter(tags__contains=["t5"]).iterator(chunk_size=2)))
    for alias in "default", "tokyo":
        with connections[alias].cursor() as c:
            c.execute("select current_setting('timezone'), '2026-01-01 00:00+00'::timestamptz::text, current_setting('transaction_isolation')")
            print(alias, c.fetchone(), list(Item.objects.using(alias).dates("at", "day")))
            c.callproc("set_config", ["work_mem", "2MB", True])
    with connection.cursor() as c:
        c.execute("set statement_timeout to '20s'")
        c.execute("show statement_timeout")
        print(c.fetchone())
    print(Item.objects.filter(size__gte=298).explain().splitlines()[0].split("(")[0])
    cache.set("k", {"v": 1}, None)
    print(cache.get("k"), connection.introspection.table_names(), connection.is_usable())
    connections.close_all()
    print(Shelf.objects.annotate(n=models.Count("item")).order_by("id").values_list("label", "n"))


def main(version):
    second = version == "second"
    set_up(MODELS.replace("{size}", "BigIntegerField(null=True)" if second else "IntegerField(db_index=True)") + (SECOND if second else ""))
    if second:
        command("makemigrations", "store", "-n", "second")
        command("sqlmigrate", "store", "0002")
        command("migrate", verbosity=1)
        command("showmigrations")
        command("migrate", "store", "0001")
        command("migrate")
        command("inspectdb", "store_item", "store_shelf")
        command("dumpdata", "store", "-o", "data.json", indent=1)
        command("flush", interactive=False)
        command("loaddata", "data.json")
        command("sqlsequencereset", "store")
        command("check", databases=["default"])
        command("dumpdata", "store.shelf")
    else:
        command("makemigrations", "store", "-n", "first")
        command("migrate", plan=True)
        command("migrate")
        command("createcachetable")
        use()


if __name__ == "__main__":
    main(sys.argv[1])
