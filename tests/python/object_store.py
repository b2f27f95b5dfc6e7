"""A server that speaks S3 and checks signatures: one user, two buckets, of which the
user may not read the second. Prints one line of JSON and ends with its standard input.

Arguments: certificate and key in PEM for TLS, or none.
"""

import json
import os
import sys
import threading

# As many calls as make the user; every later one must be signed with its key.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "3"

import boto3  # noqa: E402
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402

tls = tuple(sys.argv[1:3]) or None
application = DomainDispatcherApplication(create_backend_app)
server = make_server("127.0.0.1", 0, application, threaded=True, ssl_context=tls)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"


def client(service, key_id="none", secret="none"):
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        verify=False if tls else None,
    )


iam = client("iam")
iam.create_user(UserName="node")
policy = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Deny", "Action": ["s3:ListBucket", "s3:GetObject", "s3:HeadObject"], "Resource": ["arn:aws:s3:::vault", "arn:aws:s3:::vault/*"]},
    ],
}
iam.put_user_policy(UserName="node", PolicyName="read", PolicyDocument=json.dumps(policy))
key = iam.create_access_key(UserName="node")["AccessKey"]
s3 = client("s3", key["AccessKeyId"], key["SecretAccessKey"])
for bucket in ["lake", "vault"]:
    s3.create_bucket(Bucket=bucket)
print(json.dumps({"url": url, "key_id": key["AccessKeyId"], "secret": key["SecretAccessKey"]}), flush=True)
sys.stdin.read()
