"""The pictures of pages that people write: what speaks to what, what the tutorial does, what a job sees."""

from __future__ import annotations

from pictures import Picture


def planes() -> str:
    """The definition of the platform and the jobs speak to one endpoint; an account or the twin answers."""
    drawn = Picture("The platform's definition and the jobs speak to one AWS endpoint", 740, 452)
    drawn.words("the platform", (20, 28), middle=False, heading=True)
    drawn.words("the job", (500, 28), middle=False, heading=True)
    drawn.card((20, 42), (200, 54), ("trainworks.toml", "environment and profile"))
    drawn.card((20, 126), (200, 72), ("infra", "CDK: network, storage, roles,", "training, batch, monitoring"), "group")
    drawn.card((260, 126), (200, 72), ("assembly", "CloudFormation templates,", "checked and priced"), "group")
    drawn.card((260, 228), (200, 54), ("deploy", "change sets, first cause"), "group")
    drawn.card((500, 42), (220, 54), ("train.py, train.toml", "your script, data, job spec"))
    drawn.card((520, 228), (200, 54), ("jobs", "train, batch, logs, metrics"), "end")
    drawn.arrow((120, 96), (120, 126))
    drawn.arrow((220, 162), (260, 162))
    drawn.arrow((360, 198), (360, 228))
    drawn.arrow((610, 96), (610, 228))
    drawn.arrow((460, 255), (520, 255))
    drawn.words("outputs", (489, 247), small=True)
    drawn.box((20, 312), (700, 40), "out")
    drawn.words("one AWS endpoint: the same templates, the same calls, the same errors", (370, 337), heading=True)
    drawn.arrow((360, 282), (360, 312))
    drawn.arrow((610, 282), (610, 312))
    drawn.card((20, 382), (300, 54), ("an AWS account", "SageMaker, Batch, S3, IAM, CloudWatch ..."))
    drawn.card(
        (360, 382), (360, 54), ("the twin, on this machine", "what the platform calls of AWS; jobs really run"), "twin"
    )
    drawn.arrow((170, 352), (170, 382))
    drawn.arrow((540, 352), (540, 382))
    return drawn.svg()


def tutorial() -> str:
    """What the tutorial makes of a folder of code and a folder of data."""
    drawn = Picture("From a folder of code and data to a model and predictions", 740, 196)
    drawn.card((16, 20), (162, 60), ("code/", "scripts, a package"))
    drawn.card((16, 116), (162, 60), ("data/", "two years, two weeks"))
    drawn.card((236, 20), (178, 76), ("training job", "interrupted, goes on", "from its checkpoint"), "twin")
    drawn.card((466, 20), (112, 60), ("model", "model.tar.gz"), "out")
    drawn.card((628, 20), (96, 60), ("a file", "of yours"))
    drawn.card((416, 116), (162, 60), ("batch job", "predicts two weeks"), "twin")
    drawn.card((628, 116), (96, 60), ("a file", "336 hours"))
    drawn.arrow((178, 46), (236, 46))
    drawn.arrow((178, 132), (236, 84))
    drawn.arrow((414, 50), (466, 50))
    drawn.arrow((578, 50), (628, 50))
    drawn.arrow((522, 80), (522, 116))
    drawn.arrow((178, 150), (416, 150))
    drawn.arrow((578, 146), (628, 146))
    return drawn.svg()


def job() -> str:
    """What a training job finds, and what becomes of what it leaves."""
    drawn = Picture("What a training job finds in its container, and what becomes of what it leaves", 740, 330)
    drawn.words("what you give", (16, 28), middle=False, heading=True)
    drawn.words("what the script sees", (222, 28), middle=False, heading=True)
    drawn.words("where it ends up", (556, 28), middle=False, heading=True)
    drawn.box((206, 42), (310, 272), "twin")
    left = ("inputs", "script, source_dir", "hyperparameters", "the execution role")
    seen = ("/opt/ml/input/data/NAME/", "/opt/ml/code/", "--epochs 10, SM_HP_EPOCHS", "AWS credentials")
    for row, (given, found) in enumerate(zip(left, seen, strict=True)):
        y = 54 + 32 * row
        drawn.box((16, y), (150, 26))
        drawn.words(given, (91, y + 18), small=True)
        drawn.box((222, y), (206, 26))
        drawn.words(found, (325, y + 18), small=True)
        drawn.arrow((166, y + 13), (222, y + 13))
    written = ("/opt/ml/checkpoints/", "/opt/ml/model/", "/opt/ml/output/data/", "what it prints")
    kept = ("checkpoints in S3", "model.tar.gz in S3", "output.tar.gz in S3", "log and metrics")
    for row, (made, end) in enumerate(zip(written, kept, strict=True)):
        y = 182 + 32 * row
        drawn.box((294, y), (206, 26))
        drawn.words(made, (397, y + 18), small=True)
        drawn.box((556, y), (168, 26), "out")
        drawn.words(end, (640, y + 18), small=True)
        drawn.arrow((500, y + 13), (556, y + 13), both=row == 0)
    return drawn.svg()
