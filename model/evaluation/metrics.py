"""How near generated images come to photos. Images are in 0..1; each image gets its own number."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from mien.model.landmarks.alignment import apply_transform, similarity_transform

Images = Float[np.ndarray, "batch height width channels"]


def l1(images: Images, photos: Images) -> Float[np.ndarray, " batch"]:
    """Mean absolute difference over pixels and channels, of images in 0..1."""
    return np.abs(images - photos).mean((1, 2, 3))


def masked_l1(
    images: Images, photos: Images, masks: Bool[np.ndarray, "batch height width"]
) -> Float[np.ndarray, " batch"]:
    """Mean absolute difference over the pixels of each mask; NaN where a mask is empty."""
    pixels = masks.sum((1, 2)).astype(np.float64)
    total = (np.abs(images - photos).mean(-1) * masks).sum((1, 2))
    return np.divide(total, pixels, out=np.full(len(images), np.nan), where=pixels > 0)


def psnr(images: Images, photos: Images) -> Float[np.ndarray, " batch"]:
    """Peak signal-to-noise ratio in dB."""
    from skimage.metrics import peak_signal_noise_ratio  # with scipy.stats, a second of waiting before a training

    pairs = zip(photos, images, strict=True)
    return np.array([peak_signal_noise_ratio(photo, image, data_range=1) for photo, image in pairs])


def ssim(images: Images, photos: Images) -> Float[np.ndarray, " batch"]:
    """Structural similarity (Wang et al. 2004) with its Gaussian window of sigma 1.5 px."""
    return np.array([_ssim(image, photo) for image, photo in zip(images, photos, strict=True)])


def _ssim(
    image: Float[np.ndarray, "height width channels"], photo: Float[np.ndarray, "height width channels"]
) -> float:
    from skimage.metrics import structural_similarity

    value = structural_similarity(
        photo, image, data_range=1, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    return float(value)  # pyright: ignore[reportArgumentType]  # a tuple only where a gradient is asked for


def nme(
    found: Float[np.ndarray, "batch points 2"],
    asked: Float[np.ndarray, "batch points 2"],
    interocular: Float[np.ndarray, " batch"],
) -> Float[np.ndarray, " batch"]:
    """Normalised mean error: mean distance of the landmarks over the distance of the outer eye corners."""
    return np.linalg.norm(found - asked, axis=-1).mean(-1) / interocular


def spread(shapes: Float[np.ndarray, "batch points 2"], onto: Float[np.ndarray, "points 2"], unit: float) -> float:
    """How much shapes differ beyond position, rotation and scale: the mean distance of their points, over all pairs.

    Each is first put onto `onto` by a similarity; distances are in units of `unit` there. NaN for fewer than two.
    """
    if len(shapes) < 2:
        return float("nan")
    aligned = np.stack([apply_transform(similarity_transform(shape, onto), shape) for shape in shapes])
    pairs = [np.linalg.norm(aligned[n + 1 :] - aligned[n], axis=-1).mean(-1) for n in range(len(aligned) - 1)]
    return float(np.concatenate(pairs).mean() / unit)


def auc(true: Float[np.ndarray, " true"], false: Float[np.ndarray, " false"]) -> float:
    """Probability that a true pair scores above a false one (ties count half): the area under the ROC curve.

    By ranks (Mann and Whitney 1947): n·log n steps and no more memory than the scores, also of millions of pairs. NaN
    where there are none of one sort, or where a score is none.
    """
    if not len(true) or not len(false) or np.isnan(true).any() or np.isnan(false).any():
        return float("nan")
    ordered = np.sort(false)
    below, not_above = (np.searchsorted(ordered, true, side) for side in ("left", "right"))
    return float((below.mean() + not_above.mean()) / 2 / len(false))
