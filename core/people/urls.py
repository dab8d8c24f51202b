"""The URLs of signing in, below /admin/."""

from __future__ import annotations

from django.urls import path

from core.people.views import confirm, security, sign_in

urlpatterns = [
    path("admin/login/", sign_in.log_in),
    path("admin/sign-in/second-factor/", sign_in.give_second_factor, name="sign-in-second-factor"),
    path("admin/sign-in/confirm/", confirm.confirm, name="sign-in-confirm"),
    path("admin/sign-in/sign-out/", sign_in.sign_out, name="sign-in-sign-out"),
    path("admin/sign-in/send-form/", confirm.send_form, name="sign-in-send-form"),
    path("admin/sign-in/set-up/", security.set_up, name="sign-in-set-up"),
    path("admin/sign-in/with/<slug:name>/", sign_in.go_to_provider, name="sign-in-with"),
    path("admin/sign-in/with/<slug:name>/callback/", sign_in.come_back, name="sign-in-callback"),
    path("admin/security/", security.security, name="sign-in-security"),
    path("admin/security/app/", security.add_app, name="sign-in-add-app"),
    path("admin/security/passkey/", security.add_passkey, name="sign-in-add-passkey"),
    path("admin/security/recovery-codes/", security.new_recovery_codes, name="sign-in-recovery-codes"),
    path("admin/security/remove/<int:pk>/", security.remove_factor, name="sign-in-remove-factor"),
    path("admin/security/end/<int:pk>/", security.end_session, name="sign-in-end-session"),
    path("admin/security/end-others/", security.end_other_sessions, name="sign-in-end-others"),
    path("api/auth/login/", sign_in.ApiLogInView.as_view()),
]
