"""The closed list: what a file from others may name, by role; `trust` holds files to it (`docs/security.md`)."""

ROOMS = ("data", "metrics", "models", "ops", "protocols", "tasks")
"""Rooms of this package whose classes and builders are data modules, pipelines, transforms, protocols, parts, tasks."""

LISTED = {
    # Optimisers.
    "torch.optim": (
        *("ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "NAdam", "RAdam"),
        *("RMSprop", "Rprop", "SGD", "SparseAdam"),
    ),
    # Schedules; not those that take functions (LambdaLR, MultiplicativeLR).
    "torch.optim.lr_scheduler": (
        *("ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR", "ExponentialLR", "LinearLR"),
        *("MultiStepLR", "OneCycleLR", "PolynomialLR", "StepLR"),
    ),
    # Losses; not the one that takes a function (TripletMarginWithDistanceLoss).
    "torch.nn": (
        *("BCELoss", "BCEWithLogitsLoss", "CTCLoss", "CosineEmbeddingLoss", "CrossEntropyLoss", "GaussianNLLLoss"),
        *("HingeEmbeddingLoss", "HuberLoss", "KLDivLoss", "L1Loss", "MSELoss", "MarginRankingLoss"),
        *("MultiLabelMarginLoss", "MultiLabelSoftMarginLoss", "MultiMarginLoss", "NLLLoss", "PoissonNLLLoss"),
        *("SmoothL1Loss", "SoftMarginLoss", "TripletMarginLoss"),
    ),
    # Transforms; not the one that takes a function (Lambda).
    "torchvision.transforms.v2": (
        *("AugMix", "AutoAugment", "CenterCrop", "ClampBoundingBoxes", "ClampKeyPoints", "ColorJitter", "Compose"),
        *("ConvertBoundingBoxFormat", "ConvertImageDtype", "CutMix", "ElasticTransform", "FiveCrop", "GaussianBlur"),
        *("GaussianNoise", "Grayscale", "Identity", "JPEG", "LinearTransformation", "MixUp", "Normalize"),
        *("PILToTensor", "Pad", "RGB", "RandAugment", "RandomAdjustSharpness", "RandomAffine", "RandomApply"),
        *("RandomAutocontrast", "RandomChannelPermutation", "RandomChoice", "RandomCrop", "RandomEqualize"),
        *("RandomErasing", "RandomGrayscale", "RandomHorizontalFlip", "RandomInvert", "RandomIoUCrop", "RandomOrder"),
        *("RandomPerspective", "RandomPhotometricDistort", "RandomPosterize", "RandomResize", "RandomResizedCrop"),
        *("RandomRotation", "RandomShortestSize", "RandomSolarize", "RandomVerticalFlip", "RandomZoomOut", "Resize"),
        *("SanitizeBoundingBoxes", "SanitizeKeyPoints", "ScaleJitter", "SetClampingMode", "TenCrop", "ToDtype"),
        *("ToImage", "ToPILImage", "ToPureTensor", "ToTensor", "TrivialAugmentWide", "UniformTemporalSubsample"),
    ),
}

# Named and not imported: this room stands below theirs, and imports no torch until something is judged.
KINDS = {
    "model": "lightning.LightningModule",
    "data": "lightning.LightningDataModule",
    "protocol": "lit_vision.protocols.base.Protocol",
}
"""What each section of a checkpoint's configuration must be."""

PIPELINE = "lit_vision.data.pipelines.pipeline.Pipeline"
