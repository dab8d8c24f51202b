from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('peers', '0003_withdrawn_keys'),
    ]

    operations = [
        migrations.AddField(
            model_name='peer',
            name='paused_until',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='peer',
            name='documents_tried_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
