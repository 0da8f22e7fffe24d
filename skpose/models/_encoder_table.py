"""The pretrained encoders: name -> (name in keras.applications, scaling of pixels)."""

ENCODERS = {
    "resnet50": ("ResNet50", "caffe"),
    "resnet101": ("ResNet101", "caffe"),
    "resnet152": ("ResNet152", "caffe"),
    "mobilenetv2": ("MobileNetV2", "tf"),
    "densenet121": ("DenseNet121", "torch"),
    "densenet169": ("DenseNet169", "torch"),
    "densenet201": ("DenseNet201", "torch"),
    "xception": ("Xception", "tf"),
    "efficientnetv2b0": ("EfficientNetV2B0", "torch"),
    "convnext_tiny": ("ConvNeXtTiny", "torch"),
}
MOBILENET_ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
