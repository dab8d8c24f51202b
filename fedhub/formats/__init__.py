"""How moments read where a template or a page formats them: settings.FORMAT_MODULE_PATH."""
