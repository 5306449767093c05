"""Rows of the rectifiers paper: every own line of its tables, typed a second time from the fact sheet."""

from lit_vision.experiment import recipes

# Top-1 and top-5 error.
TABLE_2_AND_TEXT = {
    "ReLU": (33.82, 13.34),
    "PReLU, channel-shared": (32.71, 12.87),
    "PReLU, channel-wise": (32.64, 12.75),
    "14 layers, Xavier": (33.90, 13.44),
    "30 layers": (38.56, 16.59),
}
TABLE_5 = {
    "A, ReLU": (26.48, 8.59),
    "A, PReLU": (25.59, 8.23),
    "B, PReLU": (25.53, 8.13),
    "C, PReLU": (24.27, 7.38),
}
TABLES_4_AND_6 = {
    "A, ReLU, scale 256": (26.25, 8.25),
    "A, PReLU, scale 256": (25.81, 8.08),
    "A, ReLU, scale 384": (24.77, 7.26),
    "A, PReLU, scale 384": (24.20, 7.03),
    "A, ReLU, scale 480": (25.46, 7.63),
    "A, PReLU, scale 480": (24.83, 7.39),
    "A, ReLU, multi-scale": (24.02, 6.51),
    "A, PReLU, multi-scale": (22.97, 6.28),
    "B, PReLU, multi-scale": (22.85, 6.27),
    "C, PReLU, multi-scale": (21.59, 5.71),
}
TABLE_3 = {"cost of model A": 19.0, "cost of model B": 23.2, "cost of model C": 53.0}  # 1e9; printed as x 1e10

# Learned slopes: conv1, conv2_1 to conv2_4, conv3_1 to conv3_6, fc1, fc2.
TABLE_1 = {
    "slopes, channel-shared": (
        *(0.681, 0.103, 0.099, 0.228, 0.561, 0.126, 0.089, 0.124, 0.062, 0.008, 0.210, 0.063, 0.031),
    ),
    "slopes, channel-wise": (
        *(0.596, 0.321, 0.204, 0.294, 0.464, 0.196, 0.152, 0.145, 0.124, 0.134, 0.198, 0.074, 0.075),
    ),
}

# In the order of Tables 3, 5, 6 and 7; the top-5 error alone where the paper prints no other.
OTHERS = {
    "VGG-19": (19.6,),
    "MSRA SPP-net, 10 views": (29.68, 10.95),
    "VGG-16": (28.07, 9.33),
    "GoogLeNet, 10 views": (9.15,),
    "MSRA SPP-net": (27.86, 9.08),
    "VGG, ILSVRC 2014": (8.43,),
    "GoogLeNet": (7.89,),
    "VGG, arXiv v2": (24.8, 7.5),
    "VGG, arXiv v5": (24.4, 7.1),
    "Baidu": (24.88, 7.42),
    "MSRA SPP-nets, test": (8.06,),
    "VGG, test": (7.32,),
    "GoogLeNet, test": (6.66,),
    "VGG arXiv v5, test": (6.8,),
    "Baidu, test": (5.98,),
}


def errors(rows):
    return {name: (row.value, *row.also.values()) for name, row in rows.items()}


def test_the_small_nets():
    rows = recipes.read_card("rectifiers/small").rows
    printed = {name: row for name, row in rows.items() if row.value is not None and row.trains}
    assert errors(printed) == TABLE_2_AND_TEXT
    assert errors({name: row for name, row in rows.items() if row.analysis and row.value is not None}) == TABLE_1
    layers = ["conv1", *(f"conv2_{n}" for n in range(1, 5)), *(f"conv3_{n}" for n in range(1, 7)), "fc1", "fc2"]
    for name in TABLE_1:
        assert [rows[name].metric, *rows[name].also] == [f"analysis/slope/{layer}" for layer in layers]


def test_the_large_nets():
    rows = recipes.read_card("rectifiers/large").rows
    printed = {name: row for name, row in rows.items() if row.value is not None and not row.quoted}
    assert errors({name: row for name, row in printed.items() if row.trains}) == TABLE_5
    dense = {name: row for name, row in printed.items() if row.weights_of}
    assert errors(dense) == TABLES_4_AND_6
    assert {name: row.value for name, row in printed.items() if row.analysis} == TABLE_3
    for name, row in dense.items():
        scales = [256, 384, 480] if name.endswith("multi-scale") else [int(name[-3:])]
        assert row.set["protocol"]["init_args"] == {"scales": scales, "flip": True}
        assert row.weights_of == name.rpartition(", ")[0]
    six = rows["six networks"]
    assert (six.metric, six.value, six.split, len(six.members)) == ("test/error5", 4.94, "server", 6)
    assert {member.row for member in six.members} == set(TABLE_5)
    assert [member.row for member in six.members].count("C, PReLU") == 1


def test_what_the_paper_prints_of_others():
    quoted = {name: row for name, row in recipes.read_card("rectifiers/large").rows.items() if row.quoted}
    assert errors(quoted) == OTHERS
    assert list(quoted) == list(OTHERS)


def test_vgg_16_of_the_resnet_paper_is_a_test_of_weights_from_elsewhere():
    row = recipes.read_card("verify/imagenet").rows["vgg-16 ten crop"]
    assert (row.where, row.value, row.also) == ("Table 3, VGG-16", 28.07, {"test/error5": 9.33})
    assert row.set["protocol"]["class_path"].endswith("TenCrop")


def test_training_is_section_4_s():
    """Rate 1e-2, batches of 128, decay 5e-4 but for slopes, short sides from 256 to 512, and 256 for small nets."""
    for recipe, high, epochs in (("rectifiers/small", 256, 75), ("rectifiers/large", 512, 80)):
        config = recipes.resolve([recipe]).config
        model, data = config["model"]["init_args"], config["data"]["init_args"]
        assert model["optimizer"]["init_args"] == {"lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4}
        assert model["no_decay"] == ["slope"]
        assert data["batch_size"] == 128
        assert [data["pipeline"]["init_args"][key] for key in ("low", "high", "crop")] == [256, high, 224]
        assert config["trainer"]["max_steps"] == epochs * (1_281_167 // 128)
